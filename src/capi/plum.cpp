#include <plum/plum.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <damson/client.hpp>
#include <damson/error.hpp>

#include "capi/dummytls.hpp"
#include "capi/library.hpp"
#include "capi/session.hpp"
#include "capi/text.hpp"

namespace {

using namespace std::chrono_literals;
using damson::capi::library;
using damson::capi::session;
using std::chrono::milliseconds;

/// The one place where exceptions end.
template <class Function>
int guarded(Function function) noexcept {
  try {
    return function();
  } catch (...) {
    return PLUM_ERR_FAILED;
  }
}

/// For what can only be done between start and stop.
template <class Function>
int with_session(Function function) noexcept {
  return guarded([&] {
    const std::shared_ptr<session> current = library::instance().current();
    return current == nullptr ? PLUM_ERR_FAILED : function(*current);
  });
}

/// A C program may put any number where an enumeration is asked for.
template <class Enumeration>
bool in_range(const Enumeration& value, int last) {
  static_assert(sizeof value == sizeof(int));
  int number = 0;
  std::memcpy(&number, &value, sizeof number);
  return number >= 0 && number <= last;
}

milliseconds time_from(int value, milliseconds otherwise, milliseconds least, milliseconds most) {
  return value == 0 ? otherwise : std::clamp(milliseconds{value}, least, most);
}

std::optional<damson::capi::session_options> options_from(const plum_config_t& config) {
  const bool negative =
      config.discover_timeout < 0 || config.mapping_timeout < 0 || config.recheck_period < 0;
  if (negative || !in_range(config.log_level, PLUM_LOG_LEVEL_NONE) ||
      !in_range(config.protocol, PLUM_PROTOCOL_UPNP))
    return std::nullopt;

  damson::capi::session_options out;
  if (config.dummytls_domain != nullptr) out.dummytls_domain = config.dummytls_domain;
  if (!out.dummytls_domain.empty() && !damson::capi::is_domain(out.dummytls_domain))
    return std::nullopt;

  damson::options& client = out.client;
  client.discovery_timeout = time_from(config.discover_timeout, client.discovery_timeout, 1ms, 1h);
  client.mapping_timeout = time_from(config.mapping_timeout, client.mapping_timeout, 1ms, 1h);
  client.recheck_period = time_from(config.recheck_period, client.recheck_period, 1s, 24h);
  if (config.protocol == PLUM_PROTOCOL_PCP) client.protocols = damson::protocol_filter::pcp;
  if (config.protocol == PLUM_PROTOCOL_UPNP) client.protocols = damson::protocol_filter::upnp;
  return out;
}

/// As snprintf does: the whole length, whatever fitted.
int give(std::string_view text, char* buffer, std::size_t size) {
  damson::capi::copy_text(text, buffer, size);
  return static_cast<int>(text.size());
}

}  // namespace

int plum_init(const plum_config_t* config) {
  return guarded([&] {
    library& only = library::instance();
    if (only.current() != nullptr) return PLUM_ERR_FAILED;
    if (config == nullptr) return PLUM_ERR_INVALID;
    auto options = options_from(*config);
    if (!options) return PLUM_ERR_INVALID;
    return only.start(std::move(*options), config->log_level, config->log_callback)
               ? PLUM_ERR_SUCCESS
               : PLUM_ERR_FAILED;
  });
}

int plum_cleanup(void) {
  return guarded([] { return library::instance().stop() ? PLUM_ERR_SUCCESS : PLUM_ERR_FAILED; });
}

void plum_set_log_level(plum_log_level_t level) {
  guarded([&] {
    if (in_range(level, PLUM_LOG_LEVEL_NONE)) library::instance().set_log_level(level);
    return PLUM_ERR_SUCCESS;
  });
}

int plum_create_mapping(const plum_mapping_t* mapping, plum_mapping_callback_t callback) {
  return with_session([&](session& current) {
    if (mapping == nullptr || mapping->internal_port == 0 ||
        !in_range(mapping->protocol, PLUM_IP_PROTOCOL_UDP))
      return PLUM_ERR_INVALID;
    const std::optional<int> id = library::instance().next_id();
    return id && current.create(*id, *mapping, callback) ? *id : PLUM_ERR_FAILED;
  });
}

int plum_query_mapping(int id, plum_state_t* state, plum_mapping_t* mapping) {
  return with_session([&](const session& current) {
    if (id < 0) return PLUM_ERR_INVALID;
    const auto answer = current.query(id);
    if (!answer) return PLUM_ERR_NOT_AVAIL;
    if (state != nullptr) *state = answer->state;
    if (mapping != nullptr) *mapping = answer->mapping;
    return PLUM_ERR_SUCCESS;
  });
}

int plum_destroy_mapping(int id) {
  return with_session([&](session& current) {
    if (id < 0) return PLUM_ERR_INVALID;
    return current.destroy(id) ? PLUM_ERR_SUCCESS : PLUM_ERR_NOT_AVAIL;
  });
}

int plum_get_local_address(char* buffer, size_t size) {
  return guarded([&] {
    if (buffer == nullptr) return PLUM_ERR_INVALID;
    damson::error_code error;
    const damson::ip_address address = damson::local_address({}, error);
    if (error == damson::errc::no_gateway || error == damson::errc::network_down)
      return PLUM_ERR_NOT_AVAIL;
    if (error) return PLUM_ERR_FAILED;
    if (!address.is_v4()) return PLUM_ERR_NOT_AVAIL;
    const std::string text = to_string(address);
    return text.size() < size ? give(text, buffer, size) : PLUM_ERR_FAILED;
  });
}

int plum_get_dummytls_certificate(plum_dummytls_cert_type_t type, char* buffer, size_t size) {
  return with_session([&](const session& current) {
    const std::shared_ptr<damson::capi::dummytls>& names = current.names();
    if (names == nullptr) return PLUM_ERR_FAILED;
    if (!in_range(type, PLUM_DUMMYTLS_PEM_PRIVKEY) || (buffer == nullptr && size != 0))
      return PLUM_ERR_INVALID;
    const auto text = names->file(static_cast<damson::capi::dummytls_file>(type));
    return text ? give(*text, buffer, size) : PLUM_ERR_NOT_AVAIL;
  });
}

int plum_get_dummytls_host(const char* address, char* buffer, size_t size) {
  return with_session([&](const session& current) {
    const std::shared_ptr<damson::capi::dummytls>& names = current.names();
    if (names == nullptr) return PLUM_ERR_FAILED;
    const auto wanted = damson::ip_address::parse(address == nullptr ? "" : address);
    if (!wanted || (buffer == nullptr && size != 0)) return PLUM_ERR_INVALID;
    const auto host = names->host(*wanted);
    return host ? give(*host, buffer, size) : PLUM_ERR_FAILED;
  });
}
