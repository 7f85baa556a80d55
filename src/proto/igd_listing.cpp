#include "proto/igd_listing.hpp"

#include <algorithm>
#include <ranges>
#include <string>
#include <utility>

#include <damson/engine.hpp>

#include "wire/upnp_refusal.hpp"

namespace damson {
namespace {

constexpr std::uint16_t last_port = 65'535;
/// NewPortMappingIndex has 16 bits.
constexpr std::uint32_t last_index = 65'535;
/// A gateway that has more to say than so many answers hold is read entry by entry.
constexpr std::size_t most_ranges = 1'024;
/// some gateways leave holes where entries were deleted, and some have no end.
constexpr unsigned most_holes = 3;
constexpr unsigned most_repeats = 2;

}  // namespace

igd_listing::igd_listing(service_kind service, bool has_ranges, std::vector<port_range> ranges)
    : service_(service),
      step_(has_ranges ? step::by_range : step::by_index),
      wanted_(std::move(ranges)),
      open_(wanted_.rbegin(), wanted_.rend()) {
  if (!is_mapping_service(service_)) end(igd_refusal{errc::not_supported, std::nullopt, {}});
}

soap_request igd_listing::next(std::string_view service_type) const {
  if (step_ == step::by_range) return make_get_entries(service_type, open_.back());
  return make_get_entry_at(service_type, static_cast<std::uint16_t>(index_));
}

std::size_t igd_listing::answer_bytes() const noexcept {
  return step_ == step::by_range ? port_listing_bytes : soap_answer_bytes;
}

std::optional<http_failure> igd_listing::on_answer(const http_answer& answer) {
  return step_ == step::by_range ? on_range_answer(answer) : on_index_answer(answer);
}

bool igd_listing::is_wanted(const router_entry& entry) const {
  return std::ranges::any_of(wanted_,
                             [&](const port_range& each) { return each.holds(entry.name); });
}

/// Whether it is a new one.
bool igd_listing::add(router_entry entry) {
  const auto& name = entry.name;
  if (!known_.emplace(name.transport, name.external_port, name.remote_host).second) return false;
  if (is_wanted(entry)) entries_.push_back(std::move(entry));
  return true;
}

void igd_listing::end(std::optional<igd_refusal> why) {
  why_ = std::move(why);
  step_ = step::over;
  known_.clear();
}

// ---------------------------------------------------------------------------------------------
// By ranges

std::optional<http_failure> igd_listing::on_range_answer(const http_answer& answer) {
  ++asked_ranges_;
  if (auto listing = decode_entries(answer)) {
    on_range(std::move(*listing));
    return std::nullopt;
  } else if (const auto* const failure = std::get_if<http_failure>(&listing.error())) {
    return *failure;
  } else if (const auto* const fault = std::get_if<soap_fault>(&listing.error());
             fault != nullptr && fault->code &&
             interpret_upnp_error(service_, upnp_action::get_list_of_port_mappings, *fault->code) ==
                 upnp_refusal::no_such_entry) {
    // Nothing in this range.
    open_.pop_back();
    next_range();
  } else {
    read_by_index();
  }
  return std::nullopt;
}

/// A full answer may be cut anywhere, for tables are in no order: its range is halved. After one
/// that is not full the rest is asked for all the same, because a gateway may have a smaller
/// measure of its own.
void igd_listing::on_range(port_listing listing) {
  const port_range asked = open_.back();
  open_.pop_back();
  std::optional<std::uint16_t> highest;
  for (router_entry& each : listing.entries) {
    if (!asked.holds(each.name)) continue;
    highest = std::max(highest.value_or(0), each.name.external_port);
    add(std::move(each));
  }
  if (listing.shown >= listed_at_once && asked.first < asked.last) {
    const auto middle = static_cast<std::uint16_t>(asked.first + (asked.last - asked.first) / 2);
    port_range lower = asked;
    port_range upper = asked;
    lower.last = middle;
    upper.first = static_cast<std::uint16_t>(middle + 1);
    open_.push_back(upper);
    open_.push_back(lower);
  } else if (highest && *highest < asked.last) {
    port_range rest = asked;
    rest.first = static_cast<std::uint16_t>(*highest + 1);
    open_.push_back(rest);
  }
  next_range();
}

/// A gateway that shows nothing in this way may do so in the other.
void igd_listing::next_range() {
  const bool is_too_much = asked_ranges_ >= most_ranges;
  if (entries_.size() >= engine_limits::router_entries || (is_too_much && !open_.empty())) {
    end(igd_refusal{errc::limit_reached, std::nullopt, {}});
  } else if (open_.empty()) {
    const bool is_all = std::ranges::none_of(wanted_, &port_range::of_everybody);
    if (entries_.empty() && !is_all) return read_by_index();
    end();
  }
}

// ---------------------------------------------------------------------------------------------
// By indexes

void igd_listing::read_by_index() noexcept {
  step_ = step::by_index;
  open_.clear();
  entries_.clear();
  known_.clear();
}

std::optional<http_failure> igd_listing::on_index_answer(const http_answer& answer) {
  if (auto entry = decode_entry_at(answer)) {
    on_entry(std::move(*entry));
  } else if (const auto* const failure = std::get_if<http_failure>(&entry.error())) {
    return *failure;
  } else if (const auto* const fault = std::get_if<soap_fault>(&entry.error())) {
    on_index_fault(*fault);
  } else {
    unreadable_ = true;
    on_hole();
  }
  return std::nullopt;
}

/// The end is where an entry repeats the one before, or the table begins anew; once may be because
/// somebody added an entry meanwhile.
void igd_listing::on_entry(router_entry entry) {
  holes_ = 0;
  repeats_ = add(std::move(entry)) ? 0 : repeats_ + 1;
  if (repeats_ >= most_repeats) return end();
  next_index();
}

void igd_listing::on_hole() {
  if (++holes_ <= most_holes) return next_index();
  const bool is_nonsense = unreadable_ && known_.empty();
  end(is_nonsense ? std::optional{igd_refusal{errc::unusable_answer, std::nullopt, {}}}
                  : std::nullopt);
}

void igd_listing::next_index() {
  if (++index_ > last_index || entries_.size() >= engine_limits::router_entries) {
    end(igd_refusal{errc::limit_reached, std::nullopt, {}});
  }
}

/// Whatever its number it is the end, but for holes. Some count from 1.
void igd_listing::on_index_fault(const soap_fault& fault) {
  constexpr std::int32_t no_such_entry_in_array = 714;
  if (index_ == 0) return next_index();
  if (fault.code == no_such_entry_in_array && !known_.empty()) return on_hole();
  if (!known_.empty() || !fault.code) return end();
  const auto meaning =
      interpret_upnp_error(service_, upnp_action::get_generic_port_mapping_entry, *fault.code);
  const bool is_empty = meaning == upnp_refusal::no_such_entry ||
                        meaning == upnp_refusal::invalid_arguments ||
                        meaning == upnp_refusal::action_failed;
  if (is_empty) return end();
  end(igd_refusal{to_errc(meaning), fault.code, fault.description});
}

}  // namespace damson
