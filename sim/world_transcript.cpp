// What was seen in the virtual world, and how it is told.

#include <algorithm>
#include <chrono>
#include <ranges>
#include <string>
#include <string_view>
#include <utility>

#include "sim/inspect.hpp"
#include "sim/world.hpp"

namespace damson::sim {

namespace {

std::string time_text(std::chrono::nanoseconds at) {
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(at).count();
  std::string fraction = std::to_string(micros % 1'000'000);
  fraction.insert(0, 6 - fraction.size(), '0');
  return std::to_string(micros / 1'000'000) + "." + fraction;
}

std::string_view fate_text(fate end) {
  switch (end) {
    case fate::delivered:
      return "";
    case fate::lost:
      return " LOST";
    case fate::refused:
      return " REFUSED";
    case fate::unheard:
      return " UNHEARD";
  }
  return "";
}

std::string http_end_text(const http_record& record) {
  if (!record.error) return std::to_string(record.status);
  switch (*record.error) {
    case http_error::refused:
      return "REFUSED";
    case http_error::unreachable:
      return "UNREACHABLE";
    case http_error::timed_out:
      return "TIMED OUT";
    case http_error::too_large:
      return "TOO LARGE";
    case http_error::malformed:
      return "MALFORMED";
    case http_error::broken:
      return "BROKEN";
  }
  return "";
}

std::string event_text(const mapping_event& event) {
  std::string out = std::string(to_string(event.kind)) + " " +
                    std::to_string(static_cast<std::uint64_t>(event.info.id)) + " " +
                    (event.info.part != 0 ? "part " + std::to_string(event.info.part) + " " : "") +
                    std::string(to_string(event.info.transport)) + " " +
                    std::string(to_string(event.info.protocol)) + " " +
                    to_string(event.info.internal) + " -> " + to_string(event.info.external) +
                    " lifetime " + std::to_string(event.info.lifetime.count());
  if (!event.info.seen_address.is_unspecified()) {
    out += " seen " + to_string(event.info.seen_address);
  }
  if (event.regained) out += " regained";
  if (event.kind == event_kind::removed) out += " " + std::string(to_string(event.how));
  if (event.kind == event_kind::failed || event.kind == event_kind::lost) {
    out += " why: " + to_string(event.why);
  }
  return out;
}

}  // namespace

void world::note(const packet_record& record) {
  ++noted_;
  sent_count_ += record.way == direction::to_router ? 1 : 0;
  trace_.add(record.at.count(), 'p', record.way, record.end, record.damaged);
  trace_.add(record.datagram.from);
  trace_.add(record.datagram.to);
  trace_.add(record.datagram.bytes);
  if (witness_ != nullptr) witness_->on_packet(record);
  if (keeps_records_) packets_.push_back(record);
}

void world::note(event_record record) {
  ++noted_;
  ++event_count_;
  const mapping_info& info = record.event.info;
  trace_.add(record.at.count(), 'e', record.event.kind, info.id, info.protocol, info.transport,
             info.lifetime.count(), record.event.regained, record.event.how,
             record.event.why.reason);
  trace_.add(info.internal);
  trace_.add(info.external);
  if (!info.seen_address.is_unspecified()) trace_.add(endpoint{info.seen_address, 0});
  if (witness_ != nullptr) witness_->on_event(record);
  if (keeps_records_) events_.push_back(std::move(record));
}

void world::note(const notify_record& record) {
  ++noted_;
  trace_.add(record.at.count(), 'n', record.what.sequence);
  trace_.add(record.what.to);
  trace_.add(std::as_bytes(std::span{record.what.request}));
  if (keeps_records_) notifies_.push_back(record);
}

void world::note_begin(const http_record& record) {
  ++noted_;
  trace_.add(record.at.count(), 'h', record.id);
  trace_.add(record.remote);
  trace_.add(std::as_bytes(std::span{record.request}));
  if (witness_ != nullptr) witness_->on_request(record);
}

void world::note_end(const http_record& record) {
  trace_.add(now().count(), 'a', record.id, record.status, record.cancelled,
             record.error.has_value(), record.error.value_or(http_error{}));
}

/// The exchanges are known by their place; when none is under way any more all of them can go.
void world::forget_ended_requests() {
  if (keeps_records_ || http_steps_ > 0) return;
  requests_.clear();
  exchanges_.clear();
}

std::size_t world::count_events(event_kind kind) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      events_, [kind](const event_record& seen) { return seen.event.kind == kind; }));
}

const event_record* world::last_event(mapping_id id) const {
  for (const event_record& seen : std::views::reverse(events_)) {
    if (seen.event.info.id == id) return &seen;
  }
  return nullptr;
}

std::vector<packet_record> world::sent(
    const std::function<bool(std::span<const std::byte>)>& what) const {
  std::vector<packet_record> out;
  for (const auto& record : packets_) {
    if (record.way == direction::to_router && what(record.datagram.bytes)) out.push_back(record);
  }
  return out;
}

std::string world::transcript() const {
  std::vector<std::pair<std::chrono::nanoseconds, std::string>> lines;
  lines.reserve(packets_.size() + 2 * requests_.size() + events_.size());
  for (const auto& packet : packets_) {
    lines.emplace_back(
        packet.at, (packet.way == direction::to_router ? "> " : "< ") +
                       to_string(packet.datagram.from) + " " + to_string(packet.datagram.to) + " " +
                       describe_packet(packet.datagram.bytes) + (packet.damaged ? " DAMAGED" : "") +
                       std::string(fate_text(packet.end)));
  }
  for (const auto& one : requests_) {
    const std::string name = "http " + std::to_string(static_cast<std::uint64_t>(one.id)) + " ";
    lines.emplace_back(one.at, "> " + name + to_string(one.remote) + " " +
                                   describe_request(one.request) +
                                   (one.cancelled ? " CANCELLED" : ""));
    if (one.ended_at) lines.emplace_back(*one.ended_at, "< " + name + http_end_text(one));
  }
  for (const auto& told : notifies_) {
    lines.emplace_back(told.at, "< event " + std::to_string(told.what.sequence) + " " +
                                    to_string(told.what.to) + " " +
                                    (told.status ? std::to_string(*told.status) : "UNHEARD"));
  }
  for (const auto& event : events_) lines.emplace_back(event.at, "* " + event_text(event.event));
  std::ranges::stable_sort(lines, {}, [](const auto& line) { return line.first; });
  std::string out;
  for (const auto& [at, text] : lines) out += time_text(at) + " " + text + "\n";
  return out;
}

}  // namespace damson::sim
