#include "two_routers.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <stdexcept>

#include "sim/bytes.hpp"
#include "sim/message_text.hpp"
#include "sim/xml_text.hpp"

namespace sim = damson::sim;

namespace {

using namespace std::chrono_literals;

using octets = std::vector<std::uint8_t>;

constexpr damson::time_point start{1'000h};
/// Where silence is the answer it costs the first; what is lost is sent again after the second, and
/// not earlier, for a busy daemon would serve the copies as well.
constexpr lab::milliseconds patience{2'500};
constexpr lab::milliseconds resend_pause{1'000};

octets from_hex(std::string_view hex) {
  octets out;
  std::string digits;
  for (const char c : hex) {
    if (c != ' ') digits += c;
  }
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    out.push_back(static_cast<std::uint8_t>(std::stoul(digits.substr(i, 2), nullptr, 16)));
  }
  return out;
}

sim::bytes to_bytes(const octets& in) {
  sim::bytes out;
  for (const auto one : in) out.push_back(std::byte{one});
  return out;
}

damson::ip_address parse(std::string_view text) {
  const auto out = damson::ip_address::parse(text);
  if (!out) throw std::invalid_argument("not an address: " + std::string{text});
  return *out;
}

/// Error lifetimes are left out: this daemon sends 0 or 30 s as it likes (Q-34), the model what RFC
/// 6887 recommends.
facts read_pcp(const octets& in) {
  if (in.empty()) return {{"answer", "none"}};
  const sim::bytes packet = to_bytes(in);
  sim::reader body(packet);
  const auto version = body.u8();
  const auto opcode = body.u8();
  body.u8();
  const auto result = body.u8();
  facts out{{"answer", "version " + std::to_string(version) + ", opcode " + std::to_string(opcode) +
                           ", result " + std::to_string(result)},
            {"length", std::to_string(in.size())}};
  const auto lifetime = body.u32();
  body.u32();
  body.take(12);
  if (result != 0 || in.size() < 60) return out;
  out.emplace_back("lifetime", std::to_string(lifetime));
  std::string nonce;
  for (const auto one : body.raw<12>()) nonce += std::to_string(std::to_integer<int>(one)) + ".";
  out.emplace_back("nonce", nonce);
  out.emplace_back("protocol", std::to_string(body.u8()));
  body.take(3);
  out.emplace_back("internal port", std::to_string(body.u16()));
  out.emplace_back("external port", std::to_string(body.u16()));
  out.emplace_back("external address", to_string(body.address()));
  return out;
}

facts read_nat_pmp(const octets& in) {
  if (in.empty()) return {{"answer", "none"}};
  const sim::bytes packet = to_bytes(in);
  sim::reader body(packet);
  const auto version = body.u8();
  const auto opcode = body.u8();
  const auto result = body.u16();
  facts out{{"answer", "version " + std::to_string(version) + ", opcode " + std::to_string(opcode) +
                           ", result " + std::to_string(result)},
            {"length", std::to_string(in.size())}};
  body.u32();
  if (opcode == 128 && in.size() == 12) {
    out.emplace_back("address", to_string(body.v4_address()));
  } else if (in.size() == 16) {
    out.emplace_back("internal port", std::to_string(body.u16()));
    out.emplace_back("external port", std::to_string(body.u16()));
    out.emplace_back("lifetime", std::to_string(body.u32()));
  }
  return out;
}

std::string text_of(const octets& in) { return {in.begin(), in.end()}; }

facts read_search_answer(const octets& in) {
  const auto message = sim::read_message(text_of(in));
  if (!message) return {{"answer", in.empty() ? "none" : "unreadable"}};
  facts out{{"answer", message->start_line}};
  const std::string* const target = message->field("ST");
  out.emplace_back("ST", target == nullptr ? "missing" : *target);
  for (const std::string_view name : {"EXT", "USN", "LOCATION", "CACHE-CONTROL", "SERVER"}) {
    out.emplace_back(name, message->field(name) == nullptr ? "missing" : "there");
  }
  return out;
}

const sim::xml_element* child(const sim::xml_element& of, std::string_view name) {
  const auto found = std::ranges::find(of.children, name, &sim::xml_element::name);
  return found == of.children.end() ? nullptr : &*found;
}

/// Every element of that name, wherever it is.
void collect(const sim::xml_element& in, std::string_view name,
             std::vector<const sim::xml_element*>& out) {
  if (in.name == name) out.push_back(&in);
  for (const auto& inner : in.children) collect(inner, name, out);
}

std::string text_in(const sim::xml_element& of, std::string_view name) {
  const sim::xml_element* const found = child(of, name);
  return found == nullptr ? std::string{} : found->text;
}

std::string status_of(const sim::text_message& message) {
  const auto words = sim::words_of(message.start_line);
  return words.size() < 2 ? std::string{"none"} : std::string{words[1]};
}

/// Values that differ from router to router, or with time.
bool is_incidental(std::string_view name) {
  constexpr std::array incidental{"NewUptime",
                                  "NewLeaseDuration",
                                  "NewWANAccessType",
                                  "NewLayer1UpstreamMaxBitRate",
                                  "NewLayer1DownstreamMaxBitRate",
                                  "NewTotalBytesSent",
                                  "NewTotalBytesReceived",
                                  "NewTotalPacketsSent",
                                  "NewTotalPacketsReceived",
                                  "NewDefaultConnectionService",
                                  "OutboundPinholeTimeout",
                                  "NewPortListing",
                                  "UniqueID"};
  return std::ranges::count(incidental, name) != 0;
}

facts read_soap(const std::string& answer) {
  const auto message = sim::read_message(answer);
  if (!message) return {{"answer", answer.empty() ? "none" : "unreadable"}};
  const std::string status = status_of(*message);
  const auto envelope = sim::read_xml(message->body, sim::xml_entities::all);
  const sim::xml_element* const body = envelope ? child(*envelope, "Body") : nullptr;
  if (body == nullptr || body->children.size() != 1) return {{"answer", status + ", no SOAP"}};
  const sim::xml_element& inside = body->children.front();
  if (inside.name == "Fault") {
    std::vector<const sim::xml_element*> codes;
    collect(inside, "errorCode", codes);
    return {{"answer", status + ", error " + (codes.empty() ? "none" : codes.front()->text)}};
  }
  facts out{{"answer", status + ", success"}, {"element", inside.name}};
  out.emplace_back("namespace", inside.space);
  std::string names;
  for (const auto& one : inside.children) names += (names.empty() ? "" : " ") + one.name;
  out.emplace_back("results", names);
  for (const auto& one : inside.children) {
    if (!is_incidental(one.name)) out.emplace_back(one.name, one.text);
  }
  return out;
}

facts read_http(const std::string& answer) {
  const auto message = sim::read_message(answer);
  if (!message) return {{"answer", answer.empty() ? "none" : "unreadable"}};
  facts out{{"answer", status_of(*message)}};
  for (const std::string_view name : {"SID", "TIMEOUT"}) {
    out.emplace_back(name, message->field(name) == nullptr ? "missing" : "there");
  }
  return out;
}

facts read_event(const std::string& text) {
  const auto message = sim::read_message(text);
  const auto root = message ? sim::read_xml(message->body, sim::xml_entities::all) : std::nullopt;
  if (!root) return {{"answer", text.empty() ? "none" : "unreadable"}};
  facts out{{"answer", root->space + " " + root->name}};
  for (const std::string_view name : {"NT", "NTS", "SEQ"}) {
    const std::string* const field = message->field(name);
    out.emplace_back(name, field == nullptr ? "missing" : *field);
  }
  for (const auto& property : root->children) {
    for (const auto& variable : property.children) out.emplace_back(variable.name, variable.text);
  }
  return out;
}

/// "action: in NAME VARIABLE, ..." and "variable: type" of a service description.
facts read_scpd(const std::string& answer) {
  const auto message = sim::read_message(answer);
  const auto root = message ? sim::read_xml(message->body, sim::xml_entities::all) : std::nullopt;
  if (!root) return {{"answer", "unreadable"}};
  facts out;
  std::vector<const sim::xml_element*> found;
  collect(*root, "action", found);
  for (const auto* action : found) {
    std::vector<const sim::xml_element*> arguments;
    collect(*action, "argument", arguments);
    std::string text;
    for (const auto* one : arguments) {
      text += text_in(*one, "direction") + " " + text_in(*one, "name") + " " +
              text_in(*one, "relatedStateVariable") + "; ";
    }
    out.emplace_back(text_in(*action, "name"), text.empty() ? "no arguments" : text);
  }
  found.clear();
  collect(*root, "stateVariable", found);
  for (const auto* variable : found) {
    const std::string* const events = variable->attribute("sendEvents");
    out.emplace_back(
        text_in(*variable, "name"),
        text_in(*variable, "dataType") + (events != nullptr && *events == "yes" ? " evented" : ""));
  }
  return out;
}

std::string replaced(std::string text, std::string_view what, std::string_view by) {
  for (std::size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
  return text;
}

sim::profile profile_like_it(std::uint8_t version) {
  sim::profile out;
  out.speaks_upnp = true;
  out.upnp.version = version;
  // The daemon keeps one rule for a port, whoever made it.
  out.upnp.one_rule_for_all_protocols = true;
  return out;
}

/// Takes out what the other one has not, and names it.
std::string take_others(facts& from, const facts& other) {
  std::string names;
  std::erase_if(from, [&](const auto& one) {
    const bool is_common = std::ranges::count(other, one.first, &facts::value_type::first) != 0;
    if (!is_common) names += (names.empty() ? "" : " ") + one.first;
    return !is_common;
  });
  return names.empty() ? "nothing more" : names;
}

constexpr std::array kinds{"WANIPConnection", "WANCommonInterfaceConfig", "Layer3Forwarding",
                           "WANIPv6FirewallControl"};

}  // namespace

two_routers::two_routers(std::uint8_t version)
    : version_(version),
      daemon_(net_, {.igd_v1 = version == 1}),
      model_(profile_like_it(version), parse(net_.gateway_address()),
             parse(net_.external_address()), start),
      real_port_(daemon_.http_port()) {
  model_.set_lan_v6(
      {parse(lab::network::gateway_link_local6), parse(lab::network::gateway_address6)});
  const std::string request =
      "GET /rootDesc.xml HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n";
  real_services_ = read_description(ask_real(request));
  model_services_ = read_description(ask_model(request));
}

std::vector<two_routers::document> two_routers::read_description(const std::string& answer) const {
  const auto message = sim::read_message(answer);
  const auto root = message ? sim::read_xml(message->body, sim::xml_entities::all) : std::nullopt;
  if (!root) throw lab::error("no description: " + answer);
  std::vector<const sim::xml_element*> found;
  collect(*root, "service", found);
  std::vector<document> out;
  for (const auto* one : found) {
    const std::string type = text_in(*one, "serviceType");
    out.push_back({type.substr(std::string_view{"urn:schemas-upnp-org:service:"}.size()),
                   text_in(*one, "controlURL"), text_in(*one, "SCPDURL"),
                   text_in(*one, "eventSubURL")});
  }
  return out;
}

const two_routers::document& two_routers::document_of(const std::vector<document>& all,
                                                      service which) const {
  const std::string_view kind = kinds.at(static_cast<std::size_t>(which));
  const auto found =
      std::ranges::find_if(all, [kind](const document& one) { return one.kind.starts_with(kind); });
  if (found == all.end()) throw lab::error("a router without " + std::string{kind});
  return *found;
}

std::string two_routers::ask_real(std::string_view text, bool over_v6) const {
  const lab::endpoint to{over_v6 ? lab::network::gateway_address6 : net_.gateway_address(),
                         real_port_};
  return lab::exchange(net_.lan(), to, replaced(std::string{text}, "HOST", to_string(to)));
}

std::string two_routers::ask_model(std::string_view text, bool over_v6) {
  const lab::endpoint to{over_v6 ? lab::network::gateway_address6 : net_.gateway_address(),
                         model_.upnp().http_port()};
  const auto from = parse(over_v6 ? lab::network::lan_address6 : net_.lan_address());
  return model_
      .handle_http(start, {from, 50'000}, replaced(std::string{text}, "HOST", to_string(to)))
      .text();
}

octets two_routers::datagram_to_model(const lab::endpoint& to, const octets& bytes) {
  const bool v6 = to.address.contains(':');
  const auto from = parse(v6 ? lab::network::lan_address6 : net_.lan_address());
  const auto out =
      model_.handle(start, {{from, 40'000}, {parse(to.address), to.port}, to_bytes(bytes)});
  octets first;
  if (out.empty()) return first;
  for (const auto one : out.front().bytes) first.push_back(std::to_integer<std::uint8_t>(one));
  return first;
}

void two_routers::compare(const std::string& request, const facts& real, const facts& model) {
  ++requests_;
  const auto value = [](const facts& in, const std::string& name) {
    const auto found = std::ranges::find(in, name, &facts::value_type::first);
    return found == in.end() ? std::string{"absent"} : found->second;
  };
  std::vector<std::string> names;
  for (const facts* all : {&real, &model}) {
    for (const auto& [name, text] : *all) {
      if (std::ranges::count(names, name) == 0) names.push_back(name);
    }
  }
  for (const std::string& name : names) {
    const std::string one{sim::trimmed(value(real, name))};
    const std::string other{sim::trimmed(value(model, name))};
    if (one != other) differences_.push_back({request, name, one, other});
    // Where that is different already the rest has to be.
    if (name == "answer" && one != other) return;
  }
}

void two_routers::pcp(const std::string& request, std::string_view hex) {
  const lab::endpoint to{net_.gateway_address(), sim::server_port};
  const octets packet = from_hex(hex);
  compare(request, read_pcp(lab::ask(net_.lan(), to, packet, patience, resend_pause).bytes),
          read_pcp(datagram_to_model(to, packet)));
}

void two_routers::pcp_v6(const std::string& request, std::string_view hex) {
  const lab::endpoint to{lab::network::gateway_address6, sim::server_port};
  const octets packet = from_hex(hex);
  compare(request, read_pcp(lab::ask(net_.lan(), to, packet, patience, resend_pause).bytes),
          read_pcp(datagram_to_model(to, packet)));
}

void two_routers::nat_pmp(const std::string& request, std::string_view hex) {
  const lab::endpoint to{net_.gateway_address(), sim::server_port};
  const octets packet = from_hex(hex);
  compare(request, read_nat_pmp(lab::ask(net_.lan(), to, packet, patience, resend_pause).bytes),
          read_nat_pmp(datagram_to_model(to, packet)));
}

void two_routers::search(const std::string& request, const std::string& text) {
  const lab::endpoint to{net_.gateway_address(), sim::ssdp_port};
  const octets packet{text.begin(), text.end()};
  compare(request,
          read_search_answer(lab::ask(net_.lan(), to, packet, patience, resend_pause).bytes),
          read_search_answer(datagram_to_model(to, packet)));
}

void two_routers::call(const std::string& request, service at, std::string_view action,
                       const arguments& in, bool over_v6) {
  const auto text = [&](const document& where, const std::string& id) {
    const std::string type = "urn:schemas-upnp-org:service:" + where.kind;
    std::string body =
        "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" "
        "s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body><u:";
    body.append(action).append(" xmlns:u=\"").append(type).append("\">");
    for (const auto& [name, value] : in) {
      body.append("<").append(name).append(">").append(value == "ITS ID" ? id : value).append("</");
      body.append(name).append(">");
    }
    body.append("</u:").append(action).append("></s:Body></s:Envelope>");
    return "POST " + where.control +
           " HTTP/1.1\r\nHost: HOST\r\nContent-Type: text/xml; charset=\"utf-8\"\r\n"
           "Content-Length: " +
           std::to_string(body.size()) + "\r\nSOAPAction: \"" + type + "#" + std::string{action} +
           "\"\r\nConnection: close\r\n\r\n" + body;
  };
  const std::string real = ask_real(text(document_of(real_services_, at), real_id_), over_v6);
  const std::string model = ask_model(text(document_of(model_services_, at), model_id_), over_v6);
  const auto keep_id = [](const std::string& answer, std::string& id) {
    const std::size_t begin = answer.find("<UniqueID>");
    if (begin != std::string::npos)
      id = answer.substr(begin + 10, answer.find('<', begin + 10) - begin - 10);
  };
  keep_id(real, real_id_);
  keep_id(model, model_id_);
  if (!request.empty()) compare(request, read_soap(real), read_soap(model));
}

void two_routers::http(const std::string& request, std::string text) {
  const auto filled = [&text](const document& at, const std::string& sid) {
    return replaced(replaced(replaced(text, "PATH", at.control), "EVENTS", at.events), "SIDVALUE",
                    sid);
  };
  const document& real_at = document_of(real_services_, service::connection);
  const document& model_at = document_of(model_services_, service::connection);
  const std::string real = ask_real(filled(real_at, real_sid_));
  const std::string model = ask_model(filled(model_at, model_sid_));
  const auto keep_sid = [](const std::string& answer, std::string& sid) {
    const auto message = sim::read_message(answer);
    const std::string* const field = message ? message->field("SID") : nullptr;
    if (field != nullptr) sid = *field;
  };
  keep_sid(real, real_sid_);
  keep_sid(model, model_sid_);
  compare(request, read_http(real), read_http(model));
}

void two_routers::first_event(const std::string& request) {
  const auto model = model_.take_events(start);
  compare(request, read_event(events_.first().value_or("")),
          read_event(model.empty() ? "" : model.front().request));
}

void two_routers::descriptions() {
  std::string real_kinds;
  for (const document& one : real_services_) real_kinds += one.kind + " ";
  std::string model_kinds;
  for (const document& one : model_services_) model_kinds += one.kind + " ";
  compare("description", {{"services", real_kinds}}, {{"services", model_kinds}});
  for (const document& one : real_services_) {
    const auto same = std::ranges::find(model_services_, one.kind, &document::kind);
    if (same == model_services_.end()) continue;
    const auto get = [](const std::string& path) {
      return "GET " + path + " HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n";
    };
    facts real = read_scpd(ask_real(get(one.scpd)));
    facts model = read_scpd(ask_model(get(same->scpd)));
    const std::string real_only = take_others(real, model);
    const std::string model_only = take_others(model, real);
    compare(one.kind, real, model);
    compare(one.kind + " alone", {{"has", real_only}}, {{"has", model_only}});
  }
}
