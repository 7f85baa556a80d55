#include "proto/igd_reader.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <tuple>
#include <utility>
#include <variant>

#include "base/check.hpp"
#include "wire/upnp_refusal.hpp"

namespace damson {
namespace {

template <class... Visitors>
struct overloaded : Visitors... {
  using Visitors::operator()...;
};

bool has_ranges(const igd_device& device) noexcept {
  return device.kind == service_kind::wan_ip_connection && device.version >= 2;
}

std::optional<http_failure> failure_in(const soap_error& error) noexcept {
  const auto* const failure = std::get_if<http_failure>(&error);
  return failure == nullptr ? std::nullopt : std::optional{*failure};
}

/// What the gateway said against it, in its own words.
igd_refusal refusal_of(errc reason, const soap_error& error) {
  const auto* const fault = std::get_if<soap_fault>(&error);
  if (fault == nullptr) return {reason, std::nullopt, {}};
  return {reason, fault->code, fault->description};
}

/// Of an entry that is not there there is nothing to tell.
errc reason_of(upnp_refusal meaning) noexcept {
  return meaning == upnp_refusal::no_such_entry ? errc::mapping_gone : to_errc(meaning);
}

/// Those of the service that maps ports.
bool is_of_connection(upnp_action action) noexcept {
  return action == upnp_action::get_external_ip_address || action == upnp_action::get_status_info;
}

}  // namespace

igd_reader::igd_reader(const router_question& what, const igd_device& device, const ip_address& own)
    : what_(what), device_(device), own_(own) {
  begin();
}

void igd_reader::begin() {
  namespace question = router_questions;
  const bool maps_ports = is_mapping_service(device_.kind);
  const bool can_tell = device_.way_out && std::holds_alternative<question::read_status>(what_);
  if (!maps_ports && !can_tell) return end({errc::not_supported, std::nullopt, {}});
  std::visit(
      overloaded{
          [&](const question::list_entries&) {
            begin_list({{.transport = transport::tcp, .of_everybody = true},
                        {.transport = transport::udp, .of_everybody = true}});
          },
          [&](const question::find_entry&) { step_ = step::find; },
          [&](const question::read_status&) { begin_status(maps_ports); },
          [&](const question::delete_entry& asked) {
            step_ = step::look;
            to_delete_.push_back({.name = asked.name});
            row_ = 1;
          },
          [&](const question::delete_range& asked) {
            begin_list({{.transport = asked.transport, .first = asked.first, .last = asked.last}});
          },
      },
      what_);
}

void igd_reader::begin_list(std::vector<port_range> ranges) {
  step_ = step::list;
  listing_.emplace(device_.kind, has_ranges(device_), std::move(ranges));
}

void igd_reader::begin_status(bool of_connection) {
  step_ = step::status;
  reading_.status.emplace().server = device_.control.server;
  if (of_connection) {
    actions_ = {upnp_action::get_external_ip_address, upnp_action::get_status_info};
  }
  if (!device_.way_out) return;
  actions_.insert(actions_.end(),
                  {upnp_action::get_common_link_properties, upnp_action::get_total_bytes_sent,
                   upnp_action::get_total_bytes_received, upnp_action::get_total_packets_sent,
                   upnp_action::get_total_packets_received});
}

void igd_reader::end(igd_refusal why) {
  reading_.why = std::move(why);
  step_ = step::over;
}

igd_reading igd_reader::take() { return std::move(reading_); }

bool igd_reader::is_deleting() const noexcept {
  return step_ == step::look || step_ == step::remove || step_ == step::look_again;
}

void igd_reader::begin_anew(const igd_device& device) {
  const bool is_another = device.control.server.address != device_.control.server.address;
  device_ = device;
  if (is_deleting()) {
    if (is_another) end({errc::network_changed, std::nullopt, {}});
    return;
  }
  if (step_ == step::over) return;
  reading_ = {};
  actions_.clear();
  at_ = 0;
  begin();
}

void igd_reader::give_up(errc reason) {
  // Of what was to be deleted nothing was yet.
  const bool is_answer = std::holds_alternative<router_questions::list_entries>(what_);
  if (is_answer && listing_) reading_.entries = listing_->take_entries();
  end({reason, std::nullopt, {}});
}

void igd_reader::on_silence() noexcept {
  if (step_ == step::remove) perhaps_deleted_ = at_ + row_;
}

// ---------------------------------------------------------------------------------------------
// Asking

const router_entry_name& igd_reader::name() const {
  if (const auto* const find = std::get_if<router_questions::find_entry>(&what_)) return find->name;
  return to_delete_.at(at_).name;
}

bool igd_reader::is_optional() const noexcept {
  if (step_ == step::list) return listing_->is_optional();
  // The first of a status shows whether it is still there.
  return (step_ == step::status && at_ > 0) || (step_ == step::remove && is_row());
}

igd_question igd_reader::next() const {
  const auto ask = [&](soap_request action, std::size_t most = soap_answer_bytes) {
    return igd_question{.target = device_.control, .action = std::move(action), .body_limit = most};
  };
  const std::string& type = device_.service_type;
  switch (step_) {
    case step::list:
      return ask(listing_->next(type), listing_->answer_bytes());
    case step::find:
    case step::look:
    case step::look_again:
      return ask(make_get_entry(type, name()));
    case step::remove:
      return ask(removal());
    case step::status:
      break;
    case step::over:
      DAMSON_ASSERT(false);
      break;
  }
  const upnp_action action = actions_.at(at_);
  if (is_of_connection(action)) return ask(make_status_request(type, action));
  return {.target = device_.way_out->control,
          .action = make_status_request(device_.way_out->service_type, action),
          .body_limit = soap_answer_bytes};
}

soap_request igd_reader::removal() const {
  if (!is_row()) return make_delete_entry(device_.service_type, name());
  return make_delete_entries(device_.service_type,
                             {.transport = name().transport,
                              .first = name().external_port,
                              .last = to_delete_.at(at_ + row_ - 1).name.external_port});
}

// ---------------------------------------------------------------------------------------------
// Hearing

upnp_refusal igd_reader::meaning_of(const soap_error& error, upnp_action action) const noexcept {
  const auto* const fault = std::get_if<soap_fault>(&error);
  if (fault == nullptr || !fault->code) return upnp_refusal::action_failed;
  return interpret_upnp_error(device_.kind, action, *fault->code);
}

std::optional<http_failure> igd_reader::on_answer(const http_answer& answer) {
  switch (step_) {
    case step::list:
      return on_list_answer(answer);
    case step::find:
      return on_find_answer(answer);
    case step::status:
      return on_status_answer(answer);
    case step::look:
      return on_look_answer(answer);
    case step::remove:
      return on_remove_answer(answer);
    case step::look_again:
      return on_second_look(answer);
    case step::over:
      break;
  }
  return std::nullopt;
}

void igd_reader::leave_out() {
  if (step_ == step::list) {
    listing_->leave_out();
  } else if (step_ == step::status) {
    next_action();
  } else {
    rows_work_ = false;
    row_ = 1;
  }
}

std::optional<http_failure> igd_reader::on_list_answer(const http_answer& answer) {
  if (const auto failure = listing_->on_answer(answer)) return failure;
  if (listing_->is_over()) on_list_over();
  return std::nullopt;
}

void igd_reader::on_list_over() {
  auto entries = listing_->take_entries();
  const igd_refusal why = listing_->why().value_or(igd_refusal{});
  listing_.reset();
  if (!std::holds_alternative<router_questions::delete_range>(what_)) {
    reading_.entries = std::move(entries);
    return end(why);
  }
  first_refusal_ = why;
  // Whichever program made them.
  const auto others = std::ranges::stable_partition(
      entries, [&](const router_entry& each) { return each.internal.address == own_; });
  std::set<std::uint16_t> ports_of_others;
  for (const router_entry& each : others) ports_of_others.insert(each.name.external_port);
  entries.erase(others.begin(), others.end());
  std::erase_if(entries, [](const router_entry& each) { return !is_sendable(each.name); });
  // For some remote hosts a port may be another's.
  rows_work_ = has_ranges(device_) && std::ranges::none_of(entries, [&](const auto& each) {
                 return ports_of_others.contains(each.name.external_port);
               });
  to_delete_ = std::move(entries);
  std::ranges::sort(to_delete_, {}, [](const router_entry& each) {
    return std::tie(each.name.external_port, each.name.remote_host);
  });
  at_ = 0;
  next_row();
}

std::optional<http_failure> igd_reader::on_find_answer(const http_answer& answer) {
  const auto entry = decode_entry(answer, name());
  if (entry) {
    reading_.entries.push_back(*entry);
    end();
  } else if (const auto failure = failure_in(entry.error())) {
    return failure;
  } else {
    const auto meaning = meaning_of(entry.error(), upnp_action::get_specific_port_mapping_entry);
    end(refusal_of(reason_of(meaning), entry.error()));
  }
  return std::nullopt;
}

std::expected<void, soap_error> igd_reader::read_what_was_asked(const http_answer& answer) {
  switch (const upnp_action asked = actions_.at(at_); asked) {
    case upnp_action::get_external_ip_address:
      return read_external_address(answer, *reading_.status);
    case upnp_action::get_status_info:
      return read_status_info(answer, *reading_.status);
    case upnp_action::get_common_link_properties:
      return read_link_properties(answer, *reading_.status);
    default:
      return read_counter(answer, asked, *reading_.status);
  }
}

/// What it does not know it does not tell.
std::optional<http_failure> igd_reader::on_status_answer(const http_answer& answer) {
  if (const auto read = read_what_was_asked(answer); !read) {
    if (const auto failure = failure_in(read.error())) return failure;
  }
  next_action();
  return std::nullopt;
}

void igd_reader::next_action() {
  if (++at_ == actions_.size()) end();
}

// ---------------------------------------------------------------------------------------------
// Deleting

/// So that the answer can tell what it was. One that cannot be looked at is deleted all the same:
/// it was named.
std::optional<http_failure> igd_reader::on_look_answer(const http_answer& answer) {
  auto entry = decode_entry(answer, name());
  if (entry) {
    to_delete_.at(at_) = std::move(*entry);
  } else if (const auto failure = failure_in(entry.error())) {
    return failure;
  } else if (const auto meaning =
                 meaning_of(entry.error(), upnp_action::get_specific_port_mapping_entry);
             meaning == upnp_refusal::no_such_entry) {
    end(refusal_of(errc::mapping_gone, entry.error()));
    return std::nullopt;
  }
  step_ = step::remove;
  return std::nullopt;
}

std::optional<http_failure> igd_reader::on_remove_answer(const http_answer& answer) {
  const auto done = decode_acknowledgement(answer);
  if (done) {
    on_removed();
    return std::nullopt;
  }
  if (const auto failure = failure_in(done.error())) return failure;
  if (is_row()) {
    // One by one, then: what is gone is told by each.
    leave_out();
    return std::nullopt;
  }
  const auto meaning = meaning_of(done.error(), upnp_action::delete_port_mapping);
  on_not_removed(refusal_of(reason_of(meaning), done.error()), meaning);
  return std::nullopt;
}

void igd_reader::on_removed() {
  const auto first = to_delete_.begin() + static_cast<std::ptrdiff_t>(at_);
  const auto last = first + static_cast<std::ptrdiff_t>(row_);
  reading_.entries.insert(reading_.entries.end(), std::move_iterator{first},
                          std::move_iterator{last});
  at_ += row_;
  next_row();
}

/// That there is no such entry is also said to who may not delete it.
void igd_reader::on_not_removed(const igd_refusal& why, upnp_refusal meaning) {
  if (meaning == upnp_refusal::no_such_entry) {
    step_ = step::look_again;
    return;
  }
  if (first_refusal_.reason == errc{}) first_refusal_ = why;
  ++at_;
  next_row();
}

std::optional<http_failure> igd_reader::on_second_look(const http_answer& answer) {
  const auto entry = decode_entry(answer, name());
  if (!entry) {
    if (const auto failure = failure_in(entry.error())) return failure;
  }
  if (!entry && at_ < perhaps_deleted_) {
    on_removed();
    return std::nullopt;
  }
  const bool was_named = std::holds_alternative<router_questions::delete_entry>(what_);
  if (first_refusal_.reason == errc{} && (entry || was_named)) {
    first_refusal_.reason = entry ? errc::not_authorized : errc::mapping_gone;
  }
  ++at_;
  next_row();
  return std::nullopt;
}

/// Those at ports in a row go with one action, for between them nobody else can have one. A range
/// with gaps is not deleted at once, whatever NewManage is to mean by the specification: the most
/// common daemon does not look at it, and deletes what is other hosts'.
std::size_t igd_reader::row_from(std::size_t first) const noexcept {
  std::size_t length = 1;
  while (rows_work_ && first + length < to_delete_.size()) {
    const router_entry_name& one = to_delete_[first + length - 1].name;
    const router_entry_name& other = to_delete_[first + length].name;
    const bool is_next = other.external_port == one.external_port + 1;
    if (!is_next || !one.remote_host.empty() || !other.remote_host.empty()) break;
    ++length;
  }
  return length;
}

void igd_reader::next_row() {
  if (at_ == to_delete_.size()) return end(first_refusal_);
  step_ = step::remove;
  row_ = row_from(at_);
}

}  // namespace damson
