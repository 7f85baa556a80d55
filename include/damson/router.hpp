#pragma once

/// What a UPnP router can be asked about itself and its table of mappings, and its answers. PCP and
/// NAT-PMP have no such questions. Standard library only; plain values.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <damson/error.hpp>
#include <damson/types.hpp>

namespace damson {

/// The exact name of an entry in a UPnP router's table (WANIPConnection:1 section 2.2.19).
struct router_entry_name {
  damson::transport transport{};
  std::uint16_t external_port = 0;
  /// Who may come in, as the entry has it: an address, or what the router has instead, of letters,
  /// digits, dots, colons, dashes, underscores and asterisks; empty: everybody.
  std::string remote_host{};

  friend bool operator==(const router_entry_name&, const router_entry_name&) = default;
};

/// One entry, of this host or of any other. Texts are the router's: printable ASCII, what was not
/// is written as \n, \r, \t or \xHH; at most 500 bytes each.
struct router_entry {
  router_entry_name name{};
  /// Where it leads. Some routers answer with a host's name, which is left unspecified here.
  endpoint internal{};
  bool enabled = true;
  std::string description{};
  /// What is left of its lease; empty: it has no end, or the router does not tell (some show 0).
  std::optional<std::chrono::seconds> lease{};

  friend bool operator==(const router_entry&, const router_entry&) = default;
};

/// What a UPnP router says about its way out. Empty, or unspecified, what it did not say.
struct router_status {
  endpoint server{};                             ///< who was asked
  ip_address external{};                         ///< GetExternalIPAddress
  std::string connection{};                      ///< GetStatusInfo: "Connected", …
  std::string last_error{};                      ///< GetStatusInfo: "ERROR_NONE", …
  std::optional<std::chrono::seconds> uptime{};  ///< GetStatusInfo
  std::string link{};                            ///< GetCommonLinkProperties: "Up", "Down", …
  std::string access{};  ///< GetCommonLinkProperties: "DSL", "Cable", "Ethernet", …
  std::optional<std::uint64_t> upstream_bits_per_second{};    ///< at most; GetCommonLinkProperties
  std::optional<std::uint64_t> downstream_bits_per_second{};  ///< at most; likewise
  std::optional<std::uint64_t> bytes_sent{};                  ///< many routers count modulo 2^32
  std::optional<std::uint64_t> bytes_received{};
  std::optional<std::uint64_t> packets_sent{};
  std::optional<std::uint64_t> packets_received{};

  friend bool operator==(const router_status&, const router_status&) = default;
};

namespace router_questions {

/// All entries that the router shows, whoever they belong to.
struct list_entries {};
/// One entry.
struct find_entry {
  router_entry_name name;
};
struct read_status {};
/// Deletes the entry of exactly this name, whoever made it. A router may refuse that for those of
/// other hosts.
struct delete_entry {
  router_entry_name name;
};
/// Deletes what leads to this host in a range of external ports: those at ports in a row with one
/// action, where the router has it (DeletePortMappingRange of version 2 with NewManage 0), the
/// others one by one. A range with gaps never goes with one action, because the most common daemon
/// ignores NewManage and would delete what is other hosts'.
struct delete_range {
  damson::transport transport{};
  std::uint16_t first = 1;     ///< 1..65535
  std::uint16_t last = 65535;  ///< `first`..65535
};

}  // namespace router_questions

using router_question = std::variant<router_questions::list_entries, router_questions::find_entry,
                                     router_questions::read_status, router_questions::delete_entry,
                                     router_questions::delete_range>;

/// Names one question of one engine; chosen by the caller, never used before.
enum class router_question_id : std::uint64_t {};

/// The answer to an `ask_router`.
struct router_answered {
  router_question_id id{};
  /// Why there is none, or only a part of one; `reason` 0: it is whole.
  failure why{};
  /// list_entries, find_entry: what is there; delete_entry, delete_range: what was deleted.
  std::vector<router_entry> entries{};
  std::optional<router_status> status{};  ///< read_status
};

}  // namespace damson
