// Text that nobody ever sent, for the sanitizers and for what the readers of the text formats
// promise whatever they are given.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "wire/ascii.hpp"
#include "wire/http_request.hpp"
#include "wire/http_target.hpp"
#include "wire/igd_actions.hpp"
#include "wire/igd_description.hpp"
#include "wire/ssdp.hpp"

namespace damson {
namespace {

using namespace std::string_view_literals;

// Seeds
// ----------------------------------------------------------------------------------------

constexpr auto ssdp_seeds = std::to_array<std::string_view>({
    "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: upnp:rootdevice\r\nEXT:\r\n"
    "USN: uuid:1::upnp:rootdevice\r\nLOCATION: http://192.168.1.1:5000/d.xml\r\n"
    "BOOTID.UPNP.ORG: 17\r\nSERVER: a/1 UPnP/1.1 b/2\r\n\r\n",
    "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nNTS: ssdp:alive\r\n"
    "NT: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
    "LOCATION: http://[fe80::1]:5000/d.xml\r\n\r\n",
    "NOTIFY * HTTP/1.1\r\nNTS: ssdp:byebye\r\nUSN: uuid:1\r\nNT: upnp:rootdevice\r\n\r\n",
});

constexpr auto url_seeds = std::to_array<std::string_view>({
    "http://192.168.1.1:5000/rootDesc.xml",
    "http://[fe80::1%25eth0]:5000/d?x=y",
    "http://192.168.1.1",
    "/ctl/../IPConn?a=%20",
    "../../x",
    "//192.168.1.1:80/x",
    "?q#f",
    "http://user@192.168.1.1:0080/a/./b//c/..",
});

constexpr std::string_view description_seed =
    "<?xml version=\"1.0\" encoding=\"utf-8\"?><!-- c --><root xmlns=\"urn:x\">"
    "<URLBase>http://192.168.1.1/</URLBase><device><friendlyName>A &amp; B</friendlyName>"
    "<UDN>uuid:1</UDN><deviceList><device><serviceList><d:service><serviceType>"
    "urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><controlURL><![CDATA[/ctl]]>"
    "</controlURL><eventSubURL>/e&#x41;</eventSubURL></d:service><service><serviceType>"
    "urn:dslforum-org:service:WANPPPConnection:1</serviceType><controlURL>p</controlURL></service>"
    "</serviceList></device></deviceList></device></root>";

constexpr auto soap_seeds = std::to_array<std::string_view>({
    "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"x\"><s:Body><u:R xmlns:u=\"y\">"
    "<NewExternalIPAddress>203.0.113.7</NewExternalIPAddress><NewReservedPort>40000"
    "</NewReservedPort><NewInternalPort>8080</NewInternalPort><NewInternalClient>192.168.1.10"
    "</NewInternalClient><NewEnabled>1</NewEnabled><NewLeaseDuration>3600</NewLeaseDuration>"
    "<NewConnectionStatus>Connected</NewConnectionStatus><NewUptime>7</NewUptime></u:R></s:Body>"
    "</s:Envelope>",
    "<s:Envelope><s:Body><s:Fault><faultcode>s:Client</faultcode><detail><UPnPError><errorCode>"
    "718</errorCode><errorDescription>Conflict</errorDescription></UPnPError></detail></s:Fault>"
    "</s:Body></s:Envelope>",
});

// Promises
// ----------------------------------------------------------------------------------------

const ip_address gateway_v4 = *ip_address::parse("192.168.1.1");
const ip_address gateway_v6{ip_address::parse("fe80::1")->to_v6(), 7};

/// Whatever a URL says, the connection goes to the one who answered, and what is sent there stays
/// on its line.
bool expect_url_promises(std::string_view url, std::string_view base) {
  bool led_somewhere = false;
  for (const ip_address& source : {gateway_v4, gateway_v6}) {
    const auto target = resolve_url(url, base, {.answered_from = source});
    if (!target) continue;
    led_somewhere = true;
    EXPECT_EQ(target->server.address, source) << url;
    EXPECT_NE(target->server.port, 0) << url;
    EXPECT_TRUE(target->path.starts_with('/')) << url << " -> " << target->path;
    EXPECT_LE(target->url.size(), url_bytes);
    const std::string request = make_http_get(*target);
    EXPECT_TRUE(ascii::is_printable(target->path) && !target->path.contains(' ')) << url;
    EXPECT_EQ(std::ranges::count(request, '\n'), 4) << request;
    // What came out is stable.
    const auto again = resolve_url(target->url, "", {.answered_from = source});
    EXPECT_EQ(again, target) << url;
  }
  return led_somewhere;
}

bool expect_ssdp_promises(std::string_view datagram) {
  const auto got = decode_ssdp(std::as_bytes(std::span{datagram}));
  if (!got) return false;
  EXPECT_EQ(got->location.empty(), got->kind == ssdp_kind::byebye);
  EXPECT_TRUE(ascii::is_printable(got->location));
  EXPECT_TRUE(ascii::is_printable(got->target));
  EXPECT_TRUE(ascii::is_printable(got->unique_name));
  rank_of(*got);
  expect_url_promises(got->location, "");
  return true;
}

bool expect_description_promises(std::string_view body) {
  const auto got = decode_igd_description(body);
  if (!got) return false;
  EXPECT_LE(got->services.size(), description_services);
  EXPECT_LE(got->friendly_name.size(), description_name_bytes);
  for (const igd_service& service : got->services) {
    EXPECT_FALSE(service.control_url.empty());
    EXPECT_LE(service.control_url.size(), url_bytes);
    EXPECT_TRUE(ascii::is_printable(service.type));
    EXPECT_EQ(service.type.find_first_of(" \"'<>&#\\"), std::string::npos);
    expect_url_promises(service.control_url, "http://192.168.1.1:5000/d.xml");
  }
  return true;
}

bool expect_soap_promises(std::string_view body) {
  const http_answer answer{.status = 200, .content_type = "", .body = body};
  const auto acknowledged = decode_acknowledgement(answer);
  const auto address = decode_external_ip_address(answer);
  const auto port = decode_reserved_port(answer);
  const auto entry = decode_port_mapping_entry(answer);
  const auto status = decode_status_info(answer);
  if (address) {
    EXPECT_TRUE(address->is_v4() && !address->is_loopback() && !address->is_multicast());
  }
  if (port && *port) {
    EXPECT_NE(**port, 0);
  }
  if (entry) {
    EXPECT_NE(entry->internal_port, 0);
  }
  EXPECT_EQ(status.has_value(), acknowledged.has_value());
  // A success is never made out of a fault, nor the other way round.
  for (const bool read : {address.has_value(), port.has_value(), entry.has_value()}) {
    EXPECT_TRUE(acknowledged || !read);
  }
  if (!acknowledged) {
    EXPECT_FALSE(to_string(acknowledged.error()).empty());
  }
  return acknowledged.has_value();
}

// Sweeps
// ----------------------------------------------------------------------------------------

template <class Check>
void sweep_prefixes(std::string_view whole, Check check) {
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    // A copy of just this size, so that the sanitizer sees a read beyond it.
    const std::string prefix{whole.substr(0, size)};
    check(std::string_view{prefix});
  }
}

/// Changes, doubles, removes and inserts; mostly what the formats are made of.
std::string mutated(std::string_view seed, random_source& random) {
  constexpr auto alphabet = "<>/&;:#![]-=\"' \r\n\t?%@.0123456789aAxX\0\x01\x7f\x80\xff"sv;
  std::string text{seed};
  for (std::uint64_t changes = random.uniform(1, 4); changes > 0; --changes) {
    const std::size_t at = random.uniform(0, text.size());
    const std::size_t length = random.uniform(0, std::min<std::size_t>(text.size() - at, 20));
    const char c = random.next() % 4 == 0 ? static_cast<char>(random.next())
                                          : alphabet[random.uniform(0, alphabet.size() - 1)];
    switch (random.uniform(0, 4)) {
      case 0:
        if (at < text.size()) text[at] = c;
        break;
      case 1:
        text.insert(at, 1, c);
        break;
      case 2:
        text.erase(at, length);
        break;
      case 3:
        text.insert(random.uniform(0, text.size()), text.substr(at, length));
        break;
      default:
        text.insert(at, random.uniform(1, 40), c);
        break;
    }
  }
  return text;
}

/// How many of `count` mutations were read all the same: a sweep that reads none tests little.
template <class Check>
int sweep_mutations(std::string_view seed, int count, std::uint64_t number, Check check) {
  random_source random{std::array<std::uint64_t, 4>{number}};
  int read = 0;
  for (int i = 0; i < count; ++i) {
    if (check(std::string_view{mutated(seed, random)})) ++read;
  }
  return read;
}

TEST(hostile_text, beginnings_of_messages_break_no_promise) {
  for (const std::string_view seed : ssdp_seeds) sweep_prefixes(seed, expect_ssdp_promises);
  for (const std::string_view seed : url_seeds) {
    sweep_prefixes(seed, [](std::string_view text) { expect_url_promises(text, ""); });
    sweep_prefixes(seed, [](std::string_view text) {
      expect_url_promises(text, "http://192.168.1.1:5000/a/b");
      expect_url_promises("x", text);
    });
  }
  sweep_prefixes(description_seed, expect_description_promises);
  for (const std::string_view seed : soap_seeds) sweep_prefixes(seed, expect_soap_promises);
}

TEST(hostile_text, no_beginning_of_xml_is_read) {
  sweep_prefixes(description_seed, [](std::string_view text) {
    EXPECT_EQ(decode_igd_description(text).has_value(), text.size() == description_seed.size());
  });
  sweep_prefixes(soap_seeds[1], [](std::string_view text) {
    const auto got = decode_soap({.status = 500, .content_type = "", .body = text});
    ASSERT_FALSE(got);
    EXPECT_EQ(std::holds_alternative<soap_fault>(got.error()), text.size() == soap_seeds[1].size());
  });
}

TEST(hostile_text, mutated_messages_break_no_promise) {
  for (const std::string_view seed : ssdp_seeds) {
    EXPECT_GT(sweep_mutations(seed, 3'000, 1, expect_ssdp_promises), 300);
  }
  for (const std::string_view seed : url_seeds) {
    sweep_mutations(seed, 3'000, 2, [](std::string_view text) {
      expect_url_promises("x/y", text);
      return expect_url_promises(text, "http://192.168.1.1:5000/a/b");
    });
  }
  EXPECT_GT(sweep_mutations(description_seed, 4'000, 3, expect_description_promises), 100);
  EXPECT_GT(sweep_mutations(soap_seeds[0], 3'000, 4, expect_soap_promises), 100);
  sweep_mutations(soap_seeds[1], 3'000, 5,
                  [](std::string_view text) { return expect_soap_promises(text); });
}

TEST(hostile_text, noise_breaks_no_promise) {
  random_source random{std::array<std::uint64_t, 4>{6}};
  for (int i = 0; i < 3'000; ++i) {
    std::string text(random.uniform(0, 300), '\0');
    for (char& c : text) c = static_cast<char>(random.next());
    expect_ssdp_promises(text);
    expect_description_promises(text);
    expect_soap_promises(text);
    expect_url_promises(text, "http://192.168.1.1/");
    expect_url_promises("http://" + text, "");
  }
}

}  // namespace
}  // namespace damson
