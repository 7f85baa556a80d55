#pragma once

#include <string>
#include <string_view>

#include "lab/lab.hpp"

// Two NATs in a row: the LAN host behind the simulated router, which drives the kernel's rules, and
// that behind the real daemon.
//
//     192.168.77.10 ── .1 inner router 192.168.78.20 ── .1 outer router 1.2.5.4 ── 1.2.5.5

inline constexpr std::string_view inner_external = "192.168.78.20";
inline constexpr std::string_view upstream = "192.168.78.1";

/// Both networks, the first one plugged into the LAN of the second.
struct two_nats {
  two_nats() {
    lab::run(inner.router(), {"ip", "link", "del", "wan0"});
    outer.plug_in(inner.router(), "wan0", inner_external);
    lab::run(inner.router(), {"ip", "route", "add", "default", "via", std::string(upstream)});
  }

  lab::network inner;
  lab::network outer{{.second = true}};
  lab::nft_gateway gateway{inner, DAMSON_TOOL, inner_external};
};
