// A client that listens to what a UPnP router tells, on real sockets. Its recheck is a day away.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <optional>

#include <damson/client.hpp>

#include "client_fixture.hpp"

namespace {

using namespace std::chrono_literals;
using damson::event_kind;
using damson::removal;

const damson::ip_address other_address{damson::ip_address::v4_bytes{1, 2, 3, 5}};

class router_events : public client_fixture {
 protected:
  static damson::sim::profile upnp_only() {
    damson::sim::profile how = closed_router();
    how.speaks_upnp = true;
    how.upnp.http_port = 0;
    return how;
  }

  damson::options listening() const {
    damson::options out = router_.options();
    out.listens_to_events = true;
    out.recheck_period = 24h;
    return out;
  }

  std::size_t subscriptions() {
    std::size_t out = 0;
    router_.change([&](const damson::sim::gateway& model, damson::time_point) {
      out = model.upnp().subscriptions();
    });
    return out;
  }

  removal release(damson::mapping& what) {
    std::optional<removal> how;
    std::move(what).async_release([&](damson::error_code, removal ended) { how = ended; });
    EXPECT_TRUE(run_until([&] { return how.has_value(); }));
    return how.value_or(removal::left_to_expire);
  }

  test_router router_{upnp_only()};
};

TEST_F(router_events, tell_of_another_address_and_of_an_empty_table) {
  damson::client client{io_->get_executor(), listening()};
  auto [error, mapping] = map(client);
  ASSERT_FALSE(error);
  // The subscription comes later, and begins with all that is true then.
  router_.change([](damson::sim::gateway& model, damson::time_point now) {
    model.set_public_address(now, other_address);
  });
  const event_result changed = next_event(mapping);
  EXPECT_EQ(changed.event.kind, event_kind::changed);
  EXPECT_EQ(changed.event.info.external.address, other_address);
  EXPECT_EQ(subscriptions(), 1U);

  router_.change([](damson::sim::gateway& model, damson::time_point) { model.forget_all(); });
  EXPECT_EQ(next_event(mapping).event.kind, event_kind::lost);
  EXPECT_EQ(next_event(mapping).event.kind, event_kind::mapped);
  EXPECT_EQ(router_.rules().size(), 1U);

  EXPECT_EQ(release(mapping), removal::deleted);
  EXPECT_TRUE(run_out()) << "an idle client keeps no port open";
  EXPECT_EQ(subscriptions(), 0U);
}

TEST_F(router_events, are_not_asked_for_unasked) {
  auto how = listening();
  how.listens_to_events = false;
  how.recheck_period = 1s;
  damson::client client{io_->get_executor(), how};
  auto [error, mapping] = map(client);
  ASSERT_FALSE(error);
  const auto asked = [&] {
    std::size_t out = 0;
    router_.change([&](const damson::sim::gateway& model, damson::time_point) {
      for (const auto& call : model.upnp().calls()) out += call.action == "GetStatusInfo" ? 1U : 0U;
    });
    return out;
  };
  // The recheck comes no sooner than a subscription would.
  EXPECT_TRUE(run_until([&] { return asked() > 1; }));
  EXPECT_EQ(subscriptions(), 0U);
  EXPECT_EQ(release(mapping), removal::deleted);
}

}  // namespace
