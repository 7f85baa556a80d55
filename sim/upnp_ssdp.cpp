#include "sim/upnp_ssdp.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "sim/message_text.hpp"

namespace damson::sim {

namespace {

constexpr std::string_view server_name = "Linux/6.1 UPnP/1.1 damson-sim/1.0";
constexpr std::uint32_t longest_wait = 5;

/// Something that can be searched for and is announced.
struct named_thing {
  std::string name;  ///< "upnp:rootdevice", "uuid:..." or a type
  std::string uuid;

  std::string unique_name() const { return name == uuid ? uuid : uuid + "::" + name; }
};

struct versioned {
  std::string_view type;  ///< with the last colon
  std::uint32_t version = 0;
};

std::optional<versioned> split_version(std::string_view name) {
  const std::size_t colon = name.rfind(':');
  if (!name.starts_with("urn:") || colon == std::string_view::npos) return std::nullopt;
  const auto version = read_decimal(name.substr(colon + 1), 999);
  if (!version) return std::nullopt;
  return versioned{name.substr(0, colon + 1), *version};
}

std::string with_version(const std::string& name, const std::optional<std::uint8_t>& version) {
  const auto parts = split_version(name);
  if (!parts || !version) return name;
  return std::string{parts->type} + std::to_string(*version);
}

/// Embedded devices have no upnp:rootdevice; services go by the device that holds them.
void collect(const upnp_device& device, std::vector<named_thing>& out) {
  out.push_back({device.uuid, device.uuid});
  out.push_back({device.type, device.uuid});
  for (const auto& service : device.services) out.push_back({service.type, device.uuid});
  for (const auto& inner : device.devices) collect(inner, out);
}

std::vector<named_thing> targets_of(const ssdp_voice& voice) {
  const upnp_device root = device_tree(voice.how, voice.where, shown_version(voice.how, ""));
  std::vector<named_thing> out{{"upnp:rootdevice", root.uuid}};
  collect(root, out);
  return out;
}

bytes packed(const std::string& text) {
  const auto all = std::as_bytes(std::span{text});
  return {all.begin(), all.end()};
}

std::string location(const ssdp_voice& voice) {
  return voice.how.location.value_or(voice.where.origin() + voice.where.description_path());
}

bytes answer(const ssdp_voice& voice, const named_thing& found, const std::string& where) {
  text_message out{"HTTP/1.1 200 OK", {}, {}};
  auto& fields = out.fields;
  if (voice.how.search_target_in_agent) fields.push_back({"User-Agent", "box st:none"});
  fields.push_back({"CACHE-CONTROL", "max-age=1800"});
  fields.push_back({"ST", found.name});
  fields.push_back({"USN", found.unique_name()});
  fields.push_back({"EXT", ""});
  fields.push_back({"SERVER", voice.how.empty_server_field ? "" : std::string{server_name}});
  fields.push_back({"BOOTID.UPNP.ORG", std::to_string(voice.boot_id)});
  fields.push_back({"CONFIGID.UPNP.ORG", "1"});
  fields.push_back({"LOCATION", where});
  return packed(out.text(voice.how.answer_style));
}

/// A device answers searches for its own version and lower ones, under the name that was searched
/// (UDA 1.1 section 1.3.3).
std::optional<named_thing> match(const named_thing& candidate, std::string_view wanted,
                                 const std::optional<std::uint8_t>& forced_version) {
  if (candidate.name == wanted) {
    return named_thing{with_version(candidate.name, forced_version), candidate.uuid};
  }
  const auto own = split_version(candidate.name);
  const auto asked = split_version(wanted);
  if (!own || !asked || own->type != asked->type || asked->version == 0) return std::nullopt;
  if (forced_version) {  // this one does not look at the version at all
    return named_thing{with_version(candidate.name, forced_version), candidate.uuid};
  }
  if (asked->version > own->version) return std::nullopt;
  return named_thing{std::string{wanted}, candidate.uuid};
}

}  // namespace

bool is_ssdp_group(const ip_address& address) {
  return address == ssdp_group || std::ranges::any_of(ssdp_groups_v6, [&](const auto& group) {
           return group.to_v6() == address.to_v6();
         });
}

std::optional<ssdp_search> read_search(std::span<const std::byte> packet, const ip_address& own) {
  std::string text(packet.size(), '\0');
  std::ranges::transform(packet, text.begin(), [](std::byte b) { return static_cast<char>(b); });
  const auto message = read_message(text);
  if (!message || !message->body.empty()) return std::nullopt;
  if (message->start_line != "M-SEARCH * HTTP/1.1") return std::nullopt;
  const std::string* const host = message->field("HOST");
  const std::string* const man = message->field("MAN");
  const std::string* const wait = message->field("MX");
  const std::string* const wanted = message->field("ST");
  if (host == nullptr || man == nullptr || wait == nullptr || wanted == nullptr) {
    return std::nullopt;
  }
  if (*man != "\"ssdp:discover\"" || wanted->empty()) return std::nullopt;
  const auto names = [host](const ip_address& address) {
    return same_word(*host, to_string(endpoint{ip_address{address.to_v6()}, ssdp_port}));
  };
  const bool named = names(ssdp_group) || std::ranges::any_of(ssdp_groups_v6, names) || names(own);
  const auto seconds = read_decimal(*wait, 1'000);
  if (!named || !seconds || *seconds == 0) return std::nullopt;
  return ssdp_search{*wanted, std::min(*seconds, longest_wait)};
}

std::vector<bytes> search_answers(const ssdp_voice& voice, std::string_view target) {
  const bool all = target == "ssdp:all";
  if (all && voice.how.only_first_device_for_all) {
    return {answer(voice, {wifi_device_type(), wifi_device_uuid(voice.where)},
                   voice.where.origin() + voice.where.wifi_path())};
  }
  std::vector<bytes> out;
  for (const auto& candidate : targets_of(voice)) {
    const auto found =
        all ? std::optional{candidate} : match(candidate, target, voice.how.answers_with_version);
    if (found) out.push_back(answer(voice, *found, location(voice)));
  }
  return out;
}

std::vector<bytes> notifications(const ssdp_voice& voice, const ip_address& group, bool alive) {
  std::vector<bytes> out;
  for (const auto& one : targets_of(voice)) {
    const named_thing shown{with_version(one.name, voice.how.notifies_with_version), one.uuid};
    text_message message{"NOTIFY * HTTP/1.1", {}, {}};
    auto& fields = message.fields;
    fields.push_back({"HOST", to_string(endpoint{group, ssdp_port})});
    if (alive) fields.push_back({"CACHE-CONTROL", "max-age=1800"});
    if (alive) fields.push_back({"LOCATION", location(voice)});
    if (alive) fields.push_back({"SERVER", std::string{server_name}});
    fields.push_back({"NT", shown.name});
    fields.push_back({"USN", shown.unique_name()});
    fields.push_back({"NTS", alive ? "ssdp:alive" : "ssdp:byebye"});
    fields.push_back({"BOOTID.UPNP.ORG", std::to_string(voice.boot_id)});
    fields.push_back({"CONFIGID.UPNP.ORG", "1"});
    out.push_back(packed(message.text()));
  }
  return out;
}

}  // namespace damson::sim
