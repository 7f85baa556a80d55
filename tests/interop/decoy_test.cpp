#include <netdb.h>
#include <sys/mount.h>

#include <chrono>
#include <cstdint>
#include <fstream>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "interop.hpp"
#include "lan_client.hpp"

// A device that wants the client to connect to somebody else: the client connects to nobody but
// the device itself. The decoy counts; that it would have counted is shown in each test.

namespace {

using namespace std::chrono_literals;
using lab::endpoint;
using lab::transport;

constexpr std::uint16_t decoy_port = 4'321;
constexpr std::string_view decoy_name = "decoy.lab.test";

// Whom the device names.
enum class victim : std::uint8_t {
  neighbour,    ///< another host of the LAN
  loopback,     ///< the client's own host by 127.0.0.1
  own_address,  ///< and by its LAN address
  named_host,   ///< the neighbour by a name, which the client's host can resolve
  router,       ///< another port of the router
};

// Where the device says so.
enum class lie : std::uint8_t {
  location,
  url_base,
  control_url,
  other_urls,
  description_moved_301,
  description_moved_302,
  description_moved_307,
  control_moved_302,
  control_moved_307,
  control_moved_308,
};

std::string_view name_of(victim who) {
  switch (who) {
    case victim::neighbour:
      return "neighbour";
    case victim::loopback:
      return "loopback";
    case victim::own_address:
      return "own_address";
    case victim::named_host:
      return "named_host";
    case victim::router:
      break;
  }
  return "router";
}

// GoogleTest shows the parameters of what failed.
std::ostream& operator<<(std::ostream& stream, victim who) { return stream << name_of(who); }

std::string_view name_of(lie where) {
  switch (where) {
    case lie::location:
      return "location";
    case lie::url_base:
      return "url_base";
    case lie::control_url:
      return "control_url";
    case lie::other_urls:
      return "other_urls";
    case lie::description_moved_301:
      return "description_moved_301";
    case lie::description_moved_302:
      return "description_moved_302";
    case lie::description_moved_307:
      return "description_moved_307";
    case lie::control_moved_302:
      return "control_moved_302";
    case lie::control_moved_307:
      return "control_moved_307";
    case lie::control_moved_308:
      break;
  }
  return "control_moved_308";
}

lab::device_story story_with(lie where, const std::string& base) {
  const std::string description = base + "/rootDesc.xml";
  const std::string control = base + "/ctl/IPConn";
  switch (where) {
    case lie::location:
      return {.location = description};
    case lie::url_base:
      return {.url_base = base + "/"};
    case lie::control_url:
      return {.control_url = control};
    case lie::other_urls:
      return {.other_urls = base};
    case lie::description_moved_301:
      return {.description_moved = lab::redirection{301, description}};
    case lie::description_moved_302:
      return {.description_moved = lab::redirection{302, description}};
    case lie::description_moved_307:
      return {.description_moved = lab::redirection{307, description}};
    case lie::control_moved_302:
      return {.control_moved = lab::redirection{302, control}};
    case lie::control_moved_307:
      return {.control_moved = lab::redirection{307, control}};
    case lie::control_moved_308:
      break;
  }
  return {.control_moved = lab::redirection{308, control}};
}

// How far the client must have come for the lie to be told.
bool was_told(const lab::fake_device& device, lie where) {
  switch (where) {
    case lie::location:
      return device.searches() > 0;
    case lie::control_moved_302:
    case lie::control_moved_307:
    case lie::control_moved_308:
      return device.requests("POST") > 0;
    default:
      return device.requests("GET") > 0;
  }
}

// Puts a name of its own into the table of hosts, for this program only: the sandbox has its own
// mounts.
class known_name {
 public:
  known_name(std::string_view name, std::string_view address) {
    std::ofstream(file_.file("hosts")) << address << ' ' << name << '\n';
    lab::checked(::mount(file_.file("hosts").c_str(), table, nullptr, MS_BIND, nullptr),
                 std::string("mounting over ") + table);
  }
  known_name(const known_name&) = delete;
  known_name& operator=(const known_name&) = delete;
  ~known_name() { ::umount2(table, MNT_DETACH); }

  static bool resolves(std::string_view name) {
    addrinfo* found = nullptr;
    if (::getaddrinfo(std::string(name).c_str(), nullptr, nullptr, &found) != 0) return false;
    ::freeaddrinfo(found);
    return true;
  }

 private:
  static constexpr const char* table = "/etc/hosts";
  lab::scratch_directory file_;
};

// A decoy for each victim, all of them with the same port.
class decoy {
 public:
  decoy(const lab::network& net, victim who) : net_(net), who_(who) {
    if (who == victim::named_host) name_.emplace(decoy_name, host());
    server_ = std::make_unique<lab::listener>(home(), transport::tcp, decoy_port, host());
  }

  // What a device has to say to lead the client here.
  std::string url() const {
    return "http://" + (who_ == victim::named_host ? std::string(decoy_name) : host()) + ":" +
           std::to_string(decoy_port);
  }

  // How many connections came before this one, which has to come through.
  std::optional<std::size_t> connections() const {
    if (name_ && !lab::in(net_.lan(), [] { return known_name::resolves(decoy_name); })) return {};
    const lab::probe_result control = lab::probe(net_.lan(), *server_, {host(), decoy_port});
    if (control.how != lab::reach::answered) return {};
    return server_->arrivals() - 1;
  }

 private:
  std::string host() const {
    switch (who_) {
      case victim::loopback:
        return "127.0.0.1";
      case victim::own_address:
        return std::string(net_.lan_address());
      case victim::router:
        return std::string(net_.gateway_address());
      default:
        return lab::network::neighbour_address(0);
    }
  }
  const lab::net_namespace& home() const {
    switch (who_) {
      case victim::loopback:
      case victim::own_address:
        return net_.lan();
      case victim::router:
        return net_.router();
      default:
        return net_.neighbour(0);
    }
  }

  const lab::network& net_;
  victim who_;
  std::optional<known_name> name_;
  std::unique_ptr<lab::listener> server_;
};

// From beginning to end: what was mapped is given back. Whether it was.
bool run_client(const lab::network& net) {
  lan_client client(net);
  const auto failed = client.map(
      {.internal_port = 8080, .protocols = damson::protocol_filter::upnp, .timeout = 3s});
  if (failed) return false;
  client.release();
  return true;
}

void expect_nobody_else(const lab::contacts& contacts, const endpoint& device) {
  for (const endpoint& to : contacts.connections()) EXPECT_EQ(to, device) << "was connected to";
}

struct bait {
  lie where;
  victim who;

  friend std::ostream& operator<<(std::ostream& stream, const bait& shown) {
    return stream << name_of(shown.where) << " to " << name_of(shown.who);
  }
};

std::string bait_name(const testing::TestParamInfo<bait>& tested) {
  return std::string(name_of(tested.param.where)) + "_to_" + std::string(name_of(tested.param.who));
}

std::vector<bait> baits() {
  std::vector<bait> all;
  for (const lie where :
       {lie::location, lie::url_base, lie::control_url, lie::other_urls, lie::description_moved_301,
        lie::description_moved_302, lie::description_moved_307, lie::control_moved_302,
        lie::control_moved_307, lie::control_moved_308})
    for (const victim who : {victim::neighbour, victim::loopback}) all.push_back({where, who});
  for (const lie where : {lie::location, lie::url_base, lie::control_url})
    for (const victim who : {victim::own_address, victim::named_host}) all.push_back({where, who});
  return all;
}

class decoy_test : public interop, public testing::WithParamInterface<bait> {};

INSTANTIATE_TEST_SUITE_P(the_router, decoy_test, testing::ValuesIn(baits()), bait_name);

TEST_P(decoy_test, sees_nothing) {
  const lab::network net({.neighbours = 1});
  const decoy trap(net, GetParam().who);
  const lab::fake_device device(net.router(), net.gateway_address(),
                                story_with(GetParam().where, trap.url()));
  {
    const lab::contacts contacts(net.lan());
    run_client(net);
    expect_nobody_else(contacts, device.web());
  }
  EXPECT_TRUE(was_told(device, GetParam().where));
  EXPECT_EQ(trap.connections(), 0U);
}

class fake_neighbour_test : public interop, public testing::WithParamInterface<victim> {};

INSTANTIATE_TEST_SUITE_P(a_neighbour, fake_neighbour_test,
                         testing::Values(victim::neighbour, victim::loopback, victim::own_address,
                                         victim::named_host, victim::router),
                         [](const auto& tested) { return std::string(name_of(tested.param)); });

// The router answers as it should, a neighbour answers before it and names the decoy. The router is
// to be found by the search that both get, or it could be over before the neighbour is asked.
TEST_P(fake_neighbour_test, leads_nobody_astray) {
  const lab::network net({.neighbours = 2});
  const lab::miniupnpd daemon(net, {.natpmp = false});
  const decoy trap(net, GetParam());
  const lab::fake_device device(net.neighbour(1), lab::network::neighbour_address(1),
                                story_with(lie::location, trap.url()));
  const endpoint router(net.gateway_address(), daemon.http_port());
  const std::string rules = net.rules();
  net.drop_unicast_searches();
  {
    const lab::contacts contacts(net.lan());
    EXPECT_TRUE(run_client(net));
    expect_nobody_else(contacts, router);
  }
  EXPECT_EQ(net.rules(), rules);
  EXPECT_TRUE(was_told(device, lie::location));
  EXPECT_EQ(trap.connections(), 0U);
}

class honest_device_test : public interop {};

// Without a lie the client goes all the way with this device.
TEST_F(honest_device_test, is_used) {
  const lab::network net;
  const lab::fake_device device(net.router(), net.gateway_address());
  EXPECT_TRUE(run_client(net));
  EXPECT_GT(device.requests("POST"), 0U);
  EXPECT_EQ(device.entries(), 0U);
}

}  // namespace
