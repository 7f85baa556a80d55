// Root descriptions as real gateways sent them. They belong to others, so they lie beside this tree
// and not in it.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "wire/http_target.hpp"
#include "wire/igd_description.hpp"

namespace damson {
namespace {

/// DAMSON_DEVICE_DESCRIPTIONS, or the folder beside the tree.
std::filesystem::path folder() {
  const char* const given = std::getenv("DAMSON_DEVICE_DESCRIPTIONS");
  if (given != nullptr) return given;
  return std::filesystem::path{DAMSON_SOURCE_TREE}.parent_path() / "shared" / "device-descriptions";
}

class captured_description : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::is_directory(folder())) {
      GTEST_SKIP() << "no captured descriptions: DAMSON_DEVICE_DESCRIPTIONS names no folder, and "
                      "there is no ../shared/device-descriptions";
    }
  }

  static std::string read(std::string_view name) {
    std::ifstream file{folder() / name, std::ios::binary};
    EXPECT_TRUE(file.is_open()) << name;
    return {std::istreambuf_iterator<char>{file}, {}};
  }

  static igd_description decode(std::string_view name) {
    auto got = decode_igd_description(read(name));
    EXPECT_TRUE(got) << name << ": " << to_string(got.error());
    return got ? *got : igd_description{};
  }
};

TEST_F(captured_description, linksys_wag200g) {
  EXPECT_EQ(decode("linksys-wag200g.xml"),
            (igd_description{
                .url_base = "http://192.168.1.1:49152",
                .services = {{.kind = service_kind::wan_common_interface_config,
                              .version = 1,
                              .type = "urn:schemas-upnp-org:service:WANCommonInterfaceConfig:1",
                              .control_url = "/upnp/control/WANCommonIFC1",
                              .event_url = "/upnp/event/WANCommonIFC1"},
                             {.kind = service_kind::wan_ppp_connection,
                              .version = 1,
                              .type = "urn:schemas-upnp-org:service:WANPPPConnection:1",
                              .control_url = "/upnp/control/WANPPPConn1",
                              .event_url = "/upnp/event/WANPPPConn1"}},
                .device_type = "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
                .friendly_name = "LINKSYS WAG200G Gateway",
                .manufacturer = "LINKSYS",
                .model_name = "Wireless-G ADSL Home Gateway",
                .model_number = "WAG200G",
                .unique_name = "uuid:8ca2eb37-1dd2-11b2-86f1-001a709b5aa8",
            }));
}

TEST_F(captured_description, linksys_wag200g_control_url_against_its_url_base) {
  const igd_description got = decode("linksys-wag200g.xml");
  ASSERT_EQ(got.services.size(), 2U);
  const url_rule rule{.answered_from = *ip_address::parse("192.168.1.1")};
  const std::string base = description_base(got.url_base, "http://192.168.1.1:80/igd.xml", rule);
  const auto target = resolve_url(got.services[1].control_url, base, rule);
  ASSERT_TRUE(target);
  EXPECT_EQ(target->url, "http://192.168.1.1:49152/upnp/control/WANPPPConn1");
}

TEST_F(captured_description, livebox) {
  EXPECT_EQ(decode("livebox.xml"),
            (igd_description{
                .url_base = "",
                .services = {{.kind = service_kind::wan_common_interface_config,
                              .version = 1,
                              .type = "urn:schemas-upnp-org:service:WANCommonInterfaceConfig:1",
                              .control_url = "/87895a19/upnp/control/WANCommonIFC1",
                              .event_url = "/87895a19/upnp/control/WANCommonIFC1"},
                             {.kind = service_kind::wan_ppp_connection,
                              .version = 2,
                              .type = "urn:schemas-upnp-org:service:WANPPPConnection:2",
                              .control_url = "/87895a19/upnp/control/WANIPConn1",
                              .event_url = "/87895a19/upnp/control/WANIPConn1"},
                             {.kind = service_kind::wan_ipv6_firewall_control,
                              .version = 1,
                              .type = "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1",
                              .control_url = "/87895a19/upnp/control/WANIPv6FwCtrl1",
                              .event_url = "/87895a19/upnp/control/WANIPv6FwCtrl1"}},
                .device_type = "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
                .friendly_name = "Orange Livebox",
                .manufacturer = "Sagemcom",
                .model_name = "Residential Livebox,(DSL,WAN Ethernet)",
                .model_number = "3",
                .unique_name = "uuid:87895a19-50f9-3736-a87f-115c230155f8",
            }));
}

TEST_F(captured_description, no_beginning_of_one_is_one) {
  for (const std::string_view name : {"linksys-wag200g.xml", "livebox.xml"}) {
    const std::string whole = read(name);
    const std::size_t end = whole.rfind("</root>") + std::string_view{"</root>"}.size();
    for (std::size_t size = 0; size < end; ++size) {
      EXPECT_FALSE(decode_igd_description(std::string_view{whole}.substr(0, size)))
          << name << ": " << size;
    }
    EXPECT_TRUE(decode_igd_description(std::string_view{whole}.substr(0, end))) << name;
  }
}

}  // namespace
}  // namespace damson
