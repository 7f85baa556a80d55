#pragma once

/// Reads the table of a UPnP gateway: by ranges of ports where it can do that
/// (GetListOfPortMappings of WANIPConnection:2), else entry by entry (GetGenericPortMappingEntry).
/// Bounded, whatever the gateway answers.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <damson/error.hpp>
#include <damson/router.hpp>

#include "proto/igd_ladder.hpp"
#include "wire/igd_description.hpp"
#include "wire/router_actions.hpp"

namespace damson {

/// A value: whoever owns it sends `next()` and hands in what came back, until it is over.
class igd_listing {
 public:
  /// `ranges`: what is asked for where the gateway can be asked by ranges; else the whole table is
  /// read, and what is in none of them left out.
  igd_listing(service_kind service, bool has_ranges, std::vector<port_range> ranges);

  bool is_over() const noexcept { return step_ == step::over; }

  /// Precondition of the next three: not over.
  soap_request next(std::string_view service_type) const;
  std::size_t answer_bytes() const noexcept;
  /// Whether there is another way to the same, so that nothing is lost if this brings nothing.
  bool is_optional() const noexcept { return step_ == step::by_range; }

  /// What is returned is neither a success nor a word of the service; nothing has changed then.
  std::optional<http_failure> on_answer(const http_answer& answer);
  /// The action brings nothing. Precondition: `is_optional`.
  void leave_out() noexcept { read_by_index(); }

  /// By transport and port as the gateway gave them; also what is there when it ends early.
  std::vector<router_entry> take_entries() { return std::move(entries_); }
  /// Why it is not the whole table.
  const std::optional<igd_refusal>& why() const noexcept { return why_; }

 private:
  enum class step : std::uint8_t { by_range, by_index, over };
  using entry_key = std::tuple<transport, std::uint16_t, std::string>;

  std::optional<http_failure> on_range_answer(const http_answer& answer);
  std::optional<http_failure> on_index_answer(const http_answer& answer);
  void on_range(port_listing listing);
  void on_entry(router_entry entry);
  void on_hole();
  void on_index_fault(const soap_fault& fault);
  void next_range();
  void read_by_index() noexcept;
  void next_index();
  bool is_wanted(const router_entry& entry) const;
  bool add(router_entry entry);
  void end(std::optional<igd_refusal> why = std::nullopt);

  service_kind service_;
  step step_;
  std::vector<port_range> wanted_;
  std::vector<port_range> open_;  ///< still to be asked, the last one first
  std::size_t asked_ranges_ = 0;
  std::uint32_t index_ = 0;
  unsigned holes_ = 0;    ///< indexes without an entry, in a row
  unsigned repeats_ = 0;  ///< entries that were known already, in a row
  bool unreadable_ = false;
  std::vector<router_entry> entries_;
  std::set<entry_key> known_;
  std::optional<igd_refusal> why_;
};

}  // namespace damson
