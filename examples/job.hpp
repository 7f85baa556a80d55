#pragma once

// What all examples do: open a TCP port, say where it is open, say what changes, and give it back
// at Ctrl-C, or at once with --once. Here is what has nothing to do with how they do it: the
// command line and the words.

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include <damson/engine.hpp>
#include <damson/error.hpp>
#include <damson/options.hpp>
#include <damson/types.hpp>

struct job {
  damson::map_request request{.internal_port = 8080};
  damson::options options;
  bool once = false;
};

[[noreturn]] inline void usage(std::string_view complaint) {
  std::cerr << complaint
            << "\nusage: [--once] [--gateway ADDRESS] [PORT]\n"
               "  PORT      the TCP port to open, 1 to 65535; 8080 unless named\n"
               "  --once    give it back at once instead of at Ctrl-C\n"
               "  --gateway the router's address; else the default route leads to it\n";
  std::exit(2);
}

/// Ends the program with a helpful word where the arguments make no sense.
inline job read_arguments(int argc, char** argv) {
  job out;
  const std::span words{argv, static_cast<std::size_t>(argc)};
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string_view word{words[i]};
    if (word == "--once") {
      out.once = true;
    } else if (word == "--gateway") {
      if (++i == words.size()) usage("--gateway: the address is missing");
      out.options.gateway = damson::ip_address::parse(words[i]);
      if (!out.options.gateway) usage(std::string{words[i]} + " is no IP address");
    } else {
      std::uint16_t port = 0;
      const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), port);
      if (error != std::errc{} || end != word.data() + word.size() || port == 0)
        usage(std::string{word} + " is no port");
      out.request.internal_port = port;
    }
  }
  return out;
}

/// The router may have opened the port without knowing its own address (yet).
inline std::string outside(const damson::endpoint& external) {
  if (!external.address.is_unspecified()) return to_string(external);
  return "port " + std::to_string(external.port) + " of an address that the router does not know";
}

inline void tell_open(const damson::mapping_info& info) {
  std::cout << info.internal << " is open as " << outside(info.external) << " through "
            << info.protocol << '\n'
            << std::flush;
}

inline void tell_failed(const damson::failure& why) {
  std::cerr << "not open: " << to_string(why) << '\n' << std::flush;
}

inline void tell_removed(damson::removal how) {
  std::cout << "given back: " << to_string(how) << '\n' << std::flush;
}

inline void tell(const damson::mapping_event& event) {
  switch (event.kind) {
    case damson::event_kind::mapped:
    case damson::event_kind::changed:
      tell_open(event.info);
      break;
    case damson::event_kind::lost:
    case damson::event_kind::failed:
      tell_failed(event.why);
      break;
    case damson::event_kind::removed:
      tell_removed(event.how);
      break;
  }
}
