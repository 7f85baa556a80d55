#pragma once

#include <optional>

/// How many segments with data a TCP socket has received; empty where the system cannot say.
std::optional<unsigned> data_segments_received(int socket);
