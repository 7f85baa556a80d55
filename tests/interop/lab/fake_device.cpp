#include "lab/fake_device.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "lab/socket_address.hpp"

namespace lab {
namespace {

constexpr milliseconds connection_limit{1'000};
constexpr std::size_t message_limit = 16'384;
constexpr std::uint16_t ssdp_port = 1900;
constexpr const char* ssdp_group = "239.255.255.250";
constexpr std::string_view device_type = "urn:schemas-upnp-org:device:InternetGatewayDevice:1";
constexpr std::string_view service_type = "urn:schemas-upnp-org:service:WANIPConnection:1";

// The value of a header field, whose name is written with the colon and in upper case.
std::string field(const std::string& head, std::string_view name) {
  const auto same = [](char in_text, char in_name) {
    return (in_text >= 'a' && in_text <= 'z' ? static_cast<char>(in_text - 'a' + 'A') : in_text) ==
           in_name;
  };
  const auto found = std::ranges::search(head, name, same);
  if (found.empty()) return {};
  const auto begin = static_cast<std::size_t>(found.end() - head.begin());
  const std::string line = head.substr(begin, head.find('\r', begin) - begin);
  const std::size_t text = line.find_first_not_of(' ');
  return text == std::string::npos ? std::string{} : line.substr(text);
}

// The text of an element without attributes.
std::string element(const std::string& body, const std::string& name) {
  const std::string start = "<" + name + ">";
  const std::size_t begin = body.find(start);
  if (begin == std::string::npos) return {};
  const std::size_t text = begin + start.size();
  return body.substr(text, body.find('<', text) - text);
}

std::string whole_answer(std::string_view status, const std::string& fields,
                         const std::string& body) {
  return "HTTP/1.1 " + std::string(status) + "\r\n" + fields +
         "Content-Type: text/xml; charset=\"utf-8\"\r\nConnection: close\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string moved(const redirection& where) {
  return whole_answer(std::to_string(where.status) + " Moved", "Location: " + where.to + "\r\n",
                      {});
}

std::string envelope(const std::string& content) {
  return "<?xml version=\"1.0\"?><s:Envelope "
         "xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" "
         "s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>" +
         content + "</s:Body></s:Envelope>";
}

std::string granted(const std::string& action, const std::string& results) {
  return whole_answer("200 OK", {},
                      envelope("<u:" + action + "Response xmlns:u=\"" + std::string(service_type) +
                               "\">" + results + "</u:" + action + "Response>"));
}

std::string refused(int code) {
  return whole_answer(
      "500 Internal Server Error", {},
      envelope("<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError"
               "</faultstring><detail><UPnPError "
               "xmlns=\"urn:schemas-upnp-org:control-1-0\"><errorCode>" +
               std::to_string(code) + "</errorCode></UPnPError></detail></s:Fault>"));
}

unique_fd open_search(const net_namespace& where, const std::string& address) {
  unique_fd socket = open_server(where, transport::udp, {"0.0.0.0", ssdp_port});
  ip_mreq group{};
  ::inet_pton(AF_INET, ssdp_group, &group.imr_multiaddr);
  ::inet_pton(AF_INET, address.c_str(), &group.imr_interface);
  checked(::setsockopt(socket.get(), IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group),
          "joining " + std::string(ssdp_group) + " at " + address);
  return socket;
}

bool read_some(int socket, std::string& text, steady_clock::time_point deadline) {
  std::array<char, 4'096> part{};
  if (text.size() > message_limit || !poll_one(socket, POLLIN, deadline)) return false;
  const ssize_t got = ::recv(socket, part.data(), part.size(), 0);
  if (got <= 0) return false;
  text.append(part.data(), static_cast<std::size_t>(got));
  return true;
}

std::size_t body_size(const std::string& head) {
  const std::string length = field(head, "CONTENT-LENGTH:");
  std::size_t size = 0;
  std::from_chars(length.data(), length.data() + length.size(), size);
  return size;
}

}  // namespace

fake_device::fake_device(const net_namespace& where, std::string_view address, device_story story)
    : address_(address),
      story_(std::move(story)),
      search_(open_search(where, address_)),
      web_(open_server(where, transport::tcp, {address_, 0})),
      stop_(checked(::eventfd(0, EFD_CLOEXEC), "eventfd")),
      web_port_(bound_to(web_).port),
      server_([this] { serve(); }) {}

fake_device::~fake_device() {
  ::eventfd_write(stop_.get(), 1);
  server_.join();
}

std::string fake_device::description_url() const {
  return "http://" + to_string(web()) + "/rootDesc.xml";
}

std::size_t fake_device::searches() const {
  const std::scoped_lock lock(mutex_);
  return searches_;
}

std::size_t fake_device::requests(std::string_view method) const {
  const std::scoped_lock lock(mutex_);
  const auto found = requests_.find(method);
  return found != requests_.end() ? found->second : 0;
}

std::size_t fake_device::entries() const {
  const std::scoped_lock lock(mutex_);
  return table_.size();
}

void fake_device::serve() {
  std::array<pollfd, 3> entries{{{.fd = search_.get(), .events = POLLIN, .revents = 0},
                                 {.fd = web_.get(), .events = POLLIN, .revents = 0},
                                 {.fd = stop_.get(), .events = POLLIN, .revents = 0}}};
  for (;;) {
    if (::poll(entries.data(), entries.size(), -1) < 0) continue;
    if (entries[2].revents != 0) return;
    if (entries[0].revents != 0) serve_search();
    if (entries[1].revents != 0) serve_web();
  }
}

void fake_device::serve_search() {
  std::array<char, 2'048> bytes{};
  socket_address remote;
  const ssize_t got =
      ::recvfrom(search_.get(), bytes.data(), bytes.size(), 0, remote.pointer(), &remote.length);
  if (got < 0) return;
  const std::string search(bytes.data(), static_cast<std::size_t>(got));
  const std::string target = field(search, "\r\nST:");
  if (!search.starts_with("M-SEARCH ") ||
      (target != device_type && target != service_type && target != "upnp:rootdevice"))
    return;
  const std::string answer = "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: " + target +
                             "\r\nUSN: uuid:5c0e3a52-7b1d-4c0f-9a63-0f2d4e6b8a10::" + target +
                             "\r\nEXT:\r\nSERVER: lab/1 UPnP/1.1 fake/1\r\nLOCATION: " +
                             (story_.location.empty() ? description_url() : story_.location) +
                             "\r\n\r\n";
  ::sendto(search_.get(), answer.data(), answer.size(), MSG_NOSIGNAL, remote.pointer(),
           remote.length);
  const std::scoped_lock lock(mutex_);
  ++searches_;
}

void fake_device::serve_web() {
  const unique_fd connection(::accept4(web_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (connection.get() < 0) return;
  const auto deadline = steady_clock::now() + connection_limit;
  std::string text;
  std::size_t end = std::string::npos;
  while ((end = text.find("\r\n\r\n")) == std::string::npos)
    if (!read_some(connection.get(), text, deadline)) return;
  const std::string head = text.substr(0, end);
  std::string body = text.substr(end + 4);
  while (body.size() < body_size(head))
    if (!read_some(connection.get(), body, deadline)) return;
  const std::string answer = respond(head, body);
  ::send(connection.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
}

std::string fake_device::respond(const std::string& head, const std::string& body) {
  const std::string method = head.substr(0, head.find(' '));
  const std::scoped_lock lock(mutex_);
  ++requests_[method];
  if (method == "GET")
    return story_.description_moved ? moved(*story_.description_moved)
                                    : whole_answer("200 OK", {}, description());
  if (story_.control_moved) return moved(*story_.control_moved);
  const std::string name = field(head, "SOAPACTION:");
  const std::size_t begin = name.find('#');
  return begin == std::string::npos
             ? refused(401)
             : act(name.substr(begin + 1, name.find('"', begin) - begin - 1), body);
}

std::string fake_device::act(const std::string& action, const std::string& body) {
  const std::pair key{element(body, "NewProtocol"), element(body, "NewExternalPort")};
  const auto found = table_.find(key);
  if (action == "GetExternalIPAddress")
    return granted(action, "<NewExternalIPAddress>" + std::string(external_address) +
                               "</NewExternalIPAddress>");
  if (action == "GetStatusInfo")
    return granted(action,
                   "<NewConnectionStatus>Connected</NewConnectionStatus>"
                   "<NewLastConnectionError>ERROR_NONE</NewLastConnectionError>"
                   "<NewUptime>1000</NewUptime>");
  if (action == "AddPortMapping") {
    table_[key] = {.client = element(body, "NewInternalClient"),
                   .port = element(body, "NewInternalPort"),
                   .lease = element(body, "NewLeaseDuration")};
    return granted(action, {});
  }
  if (action != "GetSpecificPortMappingEntry" && action != "DeletePortMapping") return refused(401);
  if (found == table_.end()) return refused(714);
  if (action == "DeletePortMapping") {
    table_.erase(found);
    return granted(action, {});
  }
  return granted(action, "<NewInternalPort>" + found->second.port +
                             "</NewInternalPort><NewInternalClient>" + found->second.client +
                             "</NewInternalClient><NewEnabled>1</NewEnabled>"
                             "<NewPortMappingDescription>lab</NewPortMappingDescription>"
                             "<NewLeaseDuration>" +
                             found->second.lease + "</NewLeaseDuration>");
}

std::string fake_device::description() const {
  const std::string base =
      story_.url_base.empty() ? std::string{} : "<URLBase>" + story_.url_base + "</URLBase>";
  const auto device = [](std::string_view type, const std::string& content) {
    return "<device><deviceType>" + std::string(type) +
           "</deviceType><friendlyName>lab</friendlyName>" + content + "</device>";
  };
  const auto inside = [](const std::string& devices) {
    return "<deviceList>" + devices + "</deviceList>";
  };
  const auto service = [this](std::string_view type, const std::string& control_url) {
    return "<serviceList><service><serviceType>" + std::string(type) +
           "</serviceType><serviceId>urn:upnp-org:serviceId:lab</serviceId><SCPDURL>" +
           story_.other_urls + "/scpd.xml</SCPDURL><controlURL>" + control_url +
           "</controlURL><eventSubURL>" + story_.other_urls +
           "/evt</eventSubURL></service></serviceList>";
  };
  const std::string connection = device("urn:schemas-upnp-org:device:WANConnectionDevice:1",
                                        service(service_type, story_.control_url));
  // Some clients take nothing for a gateway that has no WANCommonInterfaceConfig.
  const std::string wan = device(
      "urn:schemas-upnp-org:device:WANDevice:1",
      service("urn:schemas-upnp-org:service:WANCommonInterfaceConfig:1", story_.control_url) +
          inside(connection));
  return "<?xml version=\"1.0\"?><root xmlns=\"urn:schemas-upnp-org:device-1-0\"><specVersion>"
         "<major>1</major><minor>0</minor></specVersion>" +
         base +
         device(device_type,
                inside(wan) + "<presentationURL>" + story_.other_urls + "/</presentationURL>") +
         "</root>";
}

}  // namespace lab
