#include "client_options.hpp"

#include <string>
#include <string_view>

namespace damson::cli {

options client_options(const std::optional<ip_address>& gateway,
                       const std::optional<ip_address>& upstream, log_level level,
                       status_line& status) {
  options out;
  out.gateway = gateway;
  out.upstream = upstream;
  out.level = level;
  out.log = [&status](log_level of, std::string_view line) {
    status.clear();
    write_line(stream::err, "damson: " + std::string{to_string(of)} + ": " + std::string{line});
  };
  return out;
}

}  // namespace damson::cli
