#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lab/net_namespace.hpp"
#include "lab/probe.hpp"
#include "lab/process.hpp"

namespace lab {

/// miniupnpc's command-line client on a host of the lab, with the words that come after its own
/// options: {"-a", ADDRESS, PORT, EXTERNAL PORT, "tcp", SECONDS}, {"-d", EXTERNAL PORT, "tcp"},
/// {"-l"}. With the URL of a description it goes there at once; without one it searches, which
/// takes it two seconds or more.
run_result upnpc(const net_namespace& where, const std::string& description_url,
                 const std::vector<std::string>& words);

/// Sends a whole request over a connection of its own and reads until the server closes it.
std::string exchange(const net_namespace& where, const endpoint& at, std::string_view request);

/// What a web server answers to a GET of this URL, whose host is an address: head and body, as they
/// came.
std::string fetch(const net_namespace& where, const std::string& url);

}  // namespace lab
