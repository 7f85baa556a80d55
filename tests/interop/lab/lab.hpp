#pragma once

/// \file
/// A NAT of real parts for one test: network namespaces, veth pairs, nftables, Debian's miniupnpd,
/// and probes that show whether packets get through. All of it throws lab::error when it cannot do
/// what it was told. With the fixture of interop.hpp a test of a client reads:
///
///     TEST_F(interop, a_mapping_lets_the_wan_in) {
///       lab::network net;
///       lab::miniupnpd daemon(net);
///       lab::listener server(net.lan(), lab::transport::tcp, 8080);
///       lab::in(net.lan(), [&] { … map port 8080, run the io_context until it is mapped … });
///       EXPECT_TRUE(reaches(net, server, lab::endpoint::parse(external)));
///     }
///
/// What a client does meanwhile goes on a thread, or in a process of its own:
///
///     std::jthread loop = lab::in_background(net.lan(), [&] { context.run(); });
///     lab::process tool(net.lan(), {DAMSON_TOOL, "map", "8080/tcp", "--json"});
///     std::optional<std::string> mapped = tool.read_line(5s);
///
/// A reboot of the router, which a client has to notice:
///
///     daemon.wait_for_epoch(3);
///     daemon.kill();
///     net.flush_rules();
///     EXPECT_TRUE(cut_off(net, server, external));
///     daemon.start();
///
/// Who else a client talks to is noted by lab::contacts; what no real router would say, a
/// lab::fake_device says, on the router or on another host of the LAN
/// (network_options::neighbours). What the real daemon refuses to be, a router behind another one,
/// lab::nft_gateway is, with the kernel's rules.
///
/// Environment: DAMSON_TEST_VERBOSE=1 shows each probe, MINIUPNPD_VERBOSE=1 the daemon's log.

#include "lab/contacts.hpp"
#include "lab/fake_device.hpp"
#include "lab/miniupnpd.hpp"
#include "lab/net_namespace.hpp"
#include "lab/network.hpp"
#include "lab/nft_gateway.hpp"
#include "lab/probe.hpp"
#include "lab/process.hpp"
#include "lab/sandbox.hpp"
#include "lab/support.hpp"
#include "lab/upnp_client.hpp"
