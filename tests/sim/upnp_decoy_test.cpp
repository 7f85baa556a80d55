// Whatever a device says about itself, no request leaves for anywhere but the device that answered
//

#include <array>
#include <string>
#include <vector>

#include "upnp_scenario.hpp"

namespace damson::sim {
namespace {

class upnp_decoy : public upnp_scenario {
 protected:
  /// A decoy stands on the LAN and would answer: it speaks UPnP when it is asked by HTTP, and is
  /// not heard of in searches.
  static scene with_decoy(const upnp_profile& how) {
    scene out = upnp_only(how);
    upnp_profile decoy;
    decoy.searches = search_reach::nowhere;
    out.devices.push_back({upnp_only_router(decoy), neighbour, wan_side});
    return out;
  }

  /// Runs until all that could happen has happened, and more than once.
  static void expect_no_detour(world& w, const std::string& url) {
    w.run_for(2min);
    for (const auto& one : w.requests()) {
      EXPECT_EQ(one.remote.address, world::router_address) << url;
      EXPECT_TRUE(one.request.contains("\r\nHost: 192.168.1.1:")) << url;
    }
    EXPECT_TRUE(w.device_at(neighbour)->rules().empty()) << url;
    EXPECT_TRUE(w.device_at(neighbour)->upnp().calls().empty()) << url;
  }
};

/// What is appended to them is a path. Ports that could be meant are those of the models.
const std::vector<std::string> detours{
    "http://192.168.1.66:5000",                // another host on the link
    "http://203.0.113.5:5000",                 // one on the internet
    "http://127.0.0.1:5000",                   // the host's own services
    "http://[::1]:5000",                       //
    "http://[::ffff:127.0.0.1]:5000",          // the same, written as IPv6
    "http://[::ffff:192.168.1.66]:5000",       // another host, written as IPv6
    "http://192.168.1.100:5000",               // the host by its address
    "http://0.0.0.0:5000",                     //
    "http://169.254.169.254:80",               // where clouds keep their secrets
    "http://239.255.255.250:5000",             // a group
    "http://255.255.255.255:5000",             //
    "http://router.example:5000",              // names lead anywhere, and elsewhere later
    "http://localhost:5000",                   //
    "http://192.168.1.1.example:5000",         //
    "http://192.168.1.1@192.168.1.66:5000",    // a user name
    "http://192.168.1.66:5000#@192.168.1.1",   // a fragment
    "http://192.168.1.66:5000\\@192.168.1.1",  // no URL at all
    "http://3232235842:5000",                  // 192.168.1.66 as some spell it
    "http://0xc0.0xa8.1.0x42:5000",            //
    "http://192.168.322:5000",                 //
    "//192.168.1.66:5000",                     // without a scheme
    "https://192.168.1.66:5000",               //
    "gopher://192.168.1.66:5000",              //
    "file://",                                 //
};

TEST_F(upnp_decoy, is_not_asked_for_a_description) {
  for (const auto& detour : detours) {
    upnp_profile how;
    how.location = detour + "/rootDesc.xml";
    world& w = begin_request(with_decoy(how));
    expect_no_detour(w, detour);
    EXPECT_TRUE(w.requests().empty()) << detour;
    EXPECT_EQ(w.count_events(event_kind::mapped), 0U);
  }
}

TEST_F(upnp_decoy, is_not_a_base) {
  for (const auto& detour : detours) {
    upnp_profile how;
    how.url_base_text = detour + "/";
    how.control_urls = control_url_shape::relative;
    world& w = begin_request(with_decoy(how));
    expect_no_detour(w, detour);
  }
}

TEST_F(upnp_decoy, is_not_controlled) {
  for (const auto& detour : detours) {
    upnp_profile how;
    how.control_url_text = detour + std::string{ip_control};
    world& w = begin_request(with_decoy(how));
    expect_no_detour(w, detour);
    EXPECT_EQ(w.count_events(event_kind::mapped), 0U);
  }
}

TEST_F(upnp_decoy, is_not_redirected_to) {
  for (const auto& detour : detours) {
    for (const bool description : {true, false}) {
      upnp_profile how;
      (description ? how.redirects_descriptions : how.redirects_control) =
          detour + (description ? "/rootDesc.xml" : std::string{ip_control});
      world& w = begin_request(with_decoy(how));
      expect_no_detour(w, detour);
      EXPECT_FALSE(w.requests().empty());
      EXPECT_EQ(w.count_events(event_kind::mapped), 0U);
    }
  }
}

TEST_F(upnp_decoy, is_not_redirected_to_once_the_mapping_is_there) {
  for (const auto& detour : detours) {
    world& w = begin_request(with_decoy({}));
    expect_mapped(w, 100ms);
    w.router().behaviour().upnp.redirects_control = detour + std::string{ip_control};
    w.run_for(3h);
    w.release(id_);
    expect_no_detour(w, detour);
  }
}

TEST_F(upnp_decoy, cannot_be_named_by_somebody_else) {
  // The neighbour names itself in the gateway's name, the gateway in its own, and somebody else.
  world& w = begin_request(with_decoy({}));
  w.run_for(1ms);
  const std::string path = "/rootDesc.xml";
  for (const auto& [from, named] : {
           std::pair{world::router_address, neighbour},
           std::pair{second_address, neighbour},
           std::pair{second_address, world::router_address},
           std::pair{neighbour, world::host_address},
       }) {
    answer_search(w, from, search_answer("http://" + to_string(endpoint{named, 5000}) + path));
  }
  expect_mapped(w, 100ms);
  expect_no_detour(w, "answers in the name of others");
}

TEST_F(upnp_decoy, is_asked_where_the_user_named_it) {
  scene what = with_decoy({});
  what.client.gateway = neighbour;
  upnp_profile how;
  how.location = "http://192.168.1.66:5000/rootDesc.xml";
  what.devices[0].how.upnp = how;
  expect_mapped(begin_request(what), 100ms, neighbour);
}

}  // namespace
}  // namespace damson::sim
