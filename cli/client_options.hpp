#pragma once

#include <optional>

#include <damson/options.hpp>

#include "terminal.hpp"

namespace damson::cli {

/// Options of a client whose log goes to standard error, a line each. `status` must outlive the
/// client.
options client_options(const std::optional<ip_address>& gateway,
                       const std::optional<ip_address>& upstream, log_level level,
                       status_line& status);

}  // namespace damson::cli
