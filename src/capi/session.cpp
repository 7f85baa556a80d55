#include "capi/session.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <exception>
#include <string_view>
#include <utility>

#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include "capi/callbacks.hpp"
#include "capi/text.hpp"

namespace damson::capi {

using namespace std::chrono_literals;

namespace {

plum_mapping_protocol_t to_plum(protocol how) {
  switch (how) {
    case protocol::pcp:
      return PLUM_MAPPING_PROTOCOL_PCP;
    case protocol::nat_pmp:
      return PLUM_MAPPING_PROTOCOL_NATPMP;
    case protocol::upnp:
      return PLUM_MAPPING_PROTOCOL_UPNP;
    case protocol::direct:
      return PLUM_MAPPING_PROTOCOL_DIRECT;
  }
  return PLUM_MAPPING_PROTOCOL_UNKNOWN;
}

/// What is known of a mapping that is not open.
void forget_result(plum_mapping_t& mapping, std::uint16_t wanted_port) {
  mapping.mapping_protocol = PLUM_MAPPING_PROTOCOL_UNKNOWN;
  mapping.external_port = wanted_port;
  std::memset(mapping.external_host, 0, sizeof mapping.external_host);
}

void set_host(plum_mapping_t& mapping, std::string_view host) {
  std::memset(mapping.external_host, 0, sizeof mapping.external_host);
  copy_text(host, mapping.external_host, sizeof mapping.external_host);
}

}  // namespace

/// Lets other threads post to the client's thread for as long as there is one.
class session::executor_gate {
 public:
  explicit executor_gate(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}

  template <class Function>
  void post(Function function) {
    const std::lock_guard lock{mutex_};
    if (executor_) boost::asio::post(executor_, std::move(function));
  }

  void shut() {
    const std::lock_guard lock{mutex_};
    executor_ = {};
  }

 private:
  std::mutex mutex_;
  boost::asio::any_io_executor executor_;
};

struct session::entry {
  int id = 0;
  plum_mapping_callback_t callback = nullptr;
  std::uint16_t wanted_port = 0;
  plum_state_t state = PLUM_STATE_PENDING;
  plum_mapping_t told{};  ///< as of the last callback
  mapping handle;

  // A success that waits for its host name.
  std::uint64_t check = 0;  ///< 0: none
  mapping_info checked{};
  std::optional<boost::asio::steady_timer> limit{};
};

std::shared_ptr<session> session::start(const session_options& opts) {
  const std::shared_ptr<session> made{new session{opts}};
  made->wait();
  return made;
}

session::session(const session_options& opts) : opts_(opts.client) {
  if (!opts.dummytls_domain.empty()) names_ = std::make_shared<dummytls>(opts.dummytls_domain);
  client_.emplace(opts_);
  gate_ = std::make_shared<executor_gate>(client_->get_executor());
}

map_request session::request_for(const plum_mapping_t& wanted) const {
  map_request request;
  request.transport = wanted.protocol == PLUM_IP_PROTOCOL_UDP ? transport::udp : transport::tcp;
  request.internal_port = wanted.internal_port;
  request.external_port = wanted.external_port;
  const std::string_view host{wanted.external_host,
                              ::strnlen(wanted.external_host, sizeof wanted.external_host)};
  if (const auto address = ip_address::parse(host); address && address->is_v4())
    request.external_address = *address;
  request.protocols = opts_.protocols;
  // The first word comes when the protocols have had their times, however long those are.
  request.timeout = std::max(request.timeout, opts_.discovery_timeout + 2 * opts_.mapping_timeout);
  return request;
}

bool session::create(int id, const plum_mapping_t& request, plum_mapping_callback_t callback) {
  const std::lock_guard lock{mutex_};
  if (stopping_) return false;
  entry& fresh = entries_[id];
  try {
    fresh.id = id;
    fresh.callback = callback;
    fresh.wanted_port = request.external_port;
    fresh.told.protocol = request.protocol;
    fresh.told.internal_port = request.internal_port;
    fresh.told.user_ptr = request.user_ptr;
    forget_result(fresh.told, fresh.wanted_port);
    fresh.handle = client_->keep_open(request_for(request));
    ids_.emplace(fresh.handle.id(), id);
  } catch (...) {
    entries_.erase(id);
    throw;
  }
  return true;
}

std::optional<mapping_answer> session::query(int id) const {
  const std::lock_guard lock{mutex_};
  const auto found = entries_.find(id);
  if (found == entries_.end()) return std::nullopt;
  return mapping_answer{.state = found->second.state, .mapping = found->second.told};
}

bool session::destroy(int id) {
  mapping released;  // outside the lock
  const std::lock_guard lock{mutex_};
  entry* const what = find(id);
  if (what == nullptr) return false;
  what->state = PLUM_STATE_DESTROYING;
  released = std::move(what->handle);
  return true;
}

void session::stop() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
    for (auto& [id, each] : entries_) each.state = PLUM_STATE_DESTROYING;
  }
  client_->async_close(boost::asio::detached);
  all_told_.get_future().wait();
  gate_->shut();
  client_.reset();
}

session::entry* session::find(int id) {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second;
}

void session::wait() {
  client_->async_next_event(
      [self = shared_from_this()](error_code error, const mapping_event& event) {
        // The only error there is: the client is closed, and all was told.
        if (error) return self->all_told_.set_value();
        self->on_event(event);
        self->wait();
      });
}

void session::on_event(const mapping_event& event) {
  std::unique_lock lock{mutex_};
  const auto known = ids_.find(event.info.id);
  if (known == ids_.end()) return;
  const int id = known->second;
  if (event.kind == event_kind::removed) {
    ids_.erase(known);
    lock.unlock();
    return on_removed(id);
  }
  entry& what = entries_.at(id);
  if (what.state == PLUM_STATE_DESTROYING) return;
  switch (event.kind) {
    case event_kind::mapped:
    case event_kind::changed:
      return on_success(what, event.info, lock);
    case event_kind::lost:
    case event_kind::failed:
      return on_failure(what, lock);
    case event_kind::removed:
      break;
  }
}

void session::on_removed(int id) {
  std::unique_lock lock{mutex_};
  auto node = entries_.extract(id);
  lock.unlock();
  entry& what = node.mapped();
  if (what.callback == nullptr) return;
  call_back([&] { what.callback(id, PLUM_STATE_DESTROYED, &what.told); });
}

void session::on_failure(entry& what, std::unique_lock<std::mutex>& lock) {
  what.check = 0;
  what.limit.reset();
  // Why it failed is not told here, so another reason is no news.
  if (what.state == PLUM_STATE_FAILURE) return;
  forget_result(what.told, what.wanted_port);
  tell(what, PLUM_STATE_FAILURE, lock);
}

void session::on_success(entry& what, const mapping_info& info,
                         std::unique_lock<std::mutex>& lock) {
  what.checked = info;
  if (names_ != nullptr && !info.external.address.is_unspecified())
    begin_host_check(what);
  else
    tell_success(what, nullptr, lock);
}

void session::begin_host_check(entry& what) {
  what.check = ++last_check_;
  // Not the session itself: a name service may keep its thread longer than the session lives.
  const auto end = [weak = weak_from_this(), id = what.id,
                    check = what.check](const std::string* host) {
    if (const auto self = weak.lock()) self->end_host_check(id, check, host);
  };
  what.limit.emplace(client_->get_executor(), host_limit);
  what.limit->async_wait([end](error_code error) {
    if (!error) end(nullptr);
  });
  try {
    names_->check_host(
        what.checked.external.address, [gate = gate_, end](std::optional<std::string> host) {
          gate->post([end, host = std::move(host)] { end(host.has_value() ? &*host : nullptr); });
        });
  } catch (const std::exception&) {
    // Without a thread for it nothing is looked up.
    what.limit->expires_after(std::chrono::seconds{0});
    what.limit->async_wait([end](error_code) { end(nullptr); });
  }
}

void session::end_host_check(int id, std::uint64_t check, const std::string* host) {
  std::unique_lock lock{mutex_};
  entry* const what = find(id);
  if (what == nullptr || what->check != check || what->state == PLUM_STATE_DESTROYING) return;
  tell_success(*what, host, lock);
  if (host == nullptr && opts_.log)
    opts_.log(log_level::warning, "no host name leads to the external address, so that is given");
}

void session::tell_success(entry& what, const std::string* host,
                           std::unique_lock<std::mutex>& lock) {
  what.check = 0;
  what.limit.reset();
  const endpoint& external = what.checked.external;
  what.told.mapping_protocol = to_plum(what.checked.protocol);
  what.told.external_port = external.port;
  if (external.address.is_unspecified())
    set_host(what.told, "");
  else
    set_host(what.told, host != nullptr ? *host : to_string(external.address));
  tell(what, PLUM_STATE_SUCCESS, lock);
}

void session::tell(entry& what, plum_state_t state, std::unique_lock<std::mutex>& lock) {
  what.state = state;
  const int id = what.id;
  const plum_mapping_callback_t callback = what.callback;
  const plum_mapping_t mapping = what.told;
  lock.unlock();
  if (callback == nullptr) return;
  call_back([&] { callback(id, state, &mapping); });
}

}  // namespace damson::capi
