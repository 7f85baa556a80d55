#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <damson/testing.hpp>
#include <damson/types.hpp>

namespace damson::cli {

/// What `damson gateway` tells, on standard output and on its control socket. All functions return
/// text without a line end; what comes from clients is quoted.

/// For people: where the router is and what it serves, in several lines. `control` is the path of
/// the control socket, or empty.
std::string human_summary(const test_router& router, const std::string& control);
/// All profiles in three columns, a line each.
std::string human_table(const std::vector<router_profile>& profiles);
/// "tcp 198.51.100.7:8080 -> 192.168.1.10:8080 with pcp, ends in 7200 s"
std::string human_line(const test_router::mapping& open,
                       const std::optional<ip_address>& public_address);

/// For programs: one JSON object each.
std::string json_line(const router_profile& what);
/// {"event":"serving", and what `json_status` has, and the path of the control socket}
std::string json_serving(const test_router& router, const std::string& control);
/// {"event":"opened" or "closed", …}
std::string json_event(std::string_view event, const test_router::mapping& what);

/// Replies of the control socket.
std::string json_status(const test_router& router);
std::string json_mappings(const std::vector<test_router::mapping>& open);
std::string json_traffic(const test_router::counters& all);
std::string json_list(std::string_view name, const std::vector<std::string>& texts);
std::string json_error(std::string_view what);

}  // namespace damson::cli
