#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "interop.hpp"

// How long `damson map` takes on routers of different kinds, as it says itself ("elapsed_ms").
// Measured and printed; the limits are there to catch a wait that should not be, on any machine.

namespace {

using namespace std::chrono_literals;

class contact_time_test : public interop {
 protected:
  static constexpr int runs = 10;

  static double elapsed_ms(const std::string& line) {
    constexpr std::string_view member = R"("elapsed_ms":)";
    const std::size_t begin = line.find(member);
    double value = -1;
    if (begin != std::string::npos)
      std::from_chars(line.data() + begin + member.size(), line.data() + line.size(), value);
    return value;
  }

  // In ascending order; fewer than asked for when a run did not end in a mapping of that protocol.
  static std::vector<double> measure(const lab::network& net, std::string_view protocol) {
    std::vector<double> times;
    for (int i = 0; i < runs; ++i) {
      lab::process tool(net.lan(), {DAMSON_TOOL, "map", "8080/tcp", "--json"});
      const std::string line = tool.read_line(10s).value_or("");
      tool.send_signal(SIGINT);
      EXPECT_EQ(tool.wait(10s), 0) << tool.err();
      const bool mapped = line.find(R"("event":"mapped")") != std::string::npos &&
                          line.find("\"" + std::string(protocol) + "\"") != std::string::npos;
      EXPECT_TRUE(mapped) << line << tool.err();
      if (!mapped) break;
      times.push_back(elapsed_ms(line));
    }
    std::ranges::sort(times);
    return times;
  }

  static double report(std::string_view router, const std::vector<double>& times) {
    const double median = times[times.size() / 2];
    std::cout << router << ": mapped after " << median << " ms (median), " << times.front()
              << " to " << times.back() << " ms in " << times.size() << " runs\n";
    return median;
  }

  // The daemon thinks for a while before it answers a search.
  static void report_search(const lab::miniupnpd& daemon) {
    std::vector<double> times;
    for (int i = 0; i < runs; ++i) {
      const auto start = lab::steady_clock::now();
      daemon.description_url();
      times.push_back(
          std::chrono::duration<double, std::milli>(lab::steady_clock::now() - start).count());
    }
    std::ranges::sort(times);
    std::cout << "a bare search of it: answered after " << times[times.size() / 2]
              << " ms (median)\n";
  }
};

TEST_F(contact_time_test, pcp) {
  const lab::network net;
  const lab::miniupnpd daemon(net);
  const std::vector<double> times = measure(net, "pcp");
  ASSERT_EQ(times.size(), runs);
  EXPECT_LT(report("PCP", times), 500);
}

TEST_F(contact_time_test, upnp_where_5351_refuses) {
  const lab::network net;
  const lab::miniupnpd daemon(net, {.natpmp = false});
  const std::vector<double> times = measure(net, "upnp");
  ASSERT_EQ(times.size(), runs);
  EXPECT_LT(report("UPnP only, 5351 refuses", times), 1'000);
  report_search(daemon);
}

TEST_F(contact_time_test, upnp_where_5351_is_silent) {
  const lab::network net;
  const lab::miniupnpd daemon(net, {.natpmp = false});
  net.drop_5351();
  const std::vector<double> times = measure(net, "upnp");
  ASSERT_EQ(times.size(), runs);
  EXPECT_LT(report("UPnP only, 5351 silent", times), 1'000);
}

}  // namespace
