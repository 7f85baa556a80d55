#include "plum_listener.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

using namespace std::chrono_literals;

namespace {

constexpr auto patience = 30s;

}  // namespace

plum_listener::~plum_listener() { plum_cleanup(); }

void plum_listener::callback(int id, plum_state_t state, const plum_mapping_t* mapping) {
  static_cast<plum_listener*>(mapping->user_ptr)
      ->note({.id = id, .state = state, .mapping = *mapping, .thread = std::this_thread::get_id()});
}

void plum_listener::note(const plum_call& call) {
  if (react_) react_(call);
  const std::lock_guard lock{mutex_};
  calls_.push_back(call);
  changed_.notify_all();
}

int plum_listener::create(std::uint16_t port, std::uint16_t external_port,
                          const char* external_host, plum_ip_protocol_t protocol) {
  plum_mapping_t wanted{};
  wanted.protocol = protocol;
  wanted.internal_port = port;
  wanted.external_port = external_port;
  std::strncpy(wanted.external_host, external_host, sizeof wanted.external_host - 1);
  wanted.user_ptr = this;
  return plum_create_mapping(&wanted, callback);
}

plum_call plum_listener::next() {
  std::unique_lock lock{mutex_};
  if (!changed_.wait_for(lock, patience, [this] { return taken_ < calls_.size(); })) {
    ADD_FAILURE() << "no callback came";
    return {};
  }
  return calls_[taken_++];
}

std::vector<plum_call> plum_listener::calls() const {
  const std::lock_guard lock{mutex_};
  return calls_;
}

std::size_t plum_listener::count(plum_state_t state) const {
  std::size_t found = 0;
  for (const plum_call& call : calls()) found += call.state == state ? 1U : 0U;
  return found;
}

plum_config_t quiet_config() {
  plum_config_t config{};
  config.log_level =
      std::getenv("DAMSON_VERBOSE") != nullptr ? PLUM_LOG_LEVEL_VERBOSE : PLUM_LOG_LEVEL_NONE;
  return config;
}

std::optional<plum_state_t> state_of(int id) {
  plum_state_t state{};
  if (plum_query_mapping(id, &state, nullptr) != PLUM_ERR_SUCCESS) return std::nullopt;
  return state;
}

bool eventually(const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}
