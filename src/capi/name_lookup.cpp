#include "capi/name_lookup.hpp"

#include <pthread.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): pthread_sigmask is in no other

#include <algorithm>
#include <array>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>

namespace damson::capi {

namespace asio = boost::asio;

namespace {

ip_address from_asio(const asio::ip::address& address) {
  if (address.is_v4()) return ip_address{address.to_v4().to_bytes()};
  return ip_address{address.to_v6().to_bytes()};
}

/// A thread that nobody waits for, and that leaves signals to the program's own.
template <class Function>
void start_thread(Function work) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    std::thread{std::move(work)}.detach();
  } catch (...) {
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace

std::vector<ip_address> resolve_by_system(const std::string& host) {
  asio::io_context io;
  asio::ip::tcp::resolver resolver{io};
  boost::system::error_code error;
  std::vector<ip_address> found;
  for (const auto& entry : resolver.resolve(host, "", error))
    found.push_back(from_asio(entry.endpoint().address()));
  return found;
}

struct name_lookup::queue {
  struct question {
    std::string host;
    std::vector<answer_handler> handlers;
  };

  std::mutex mutex;
  resolve_function resolve;
  std::deque<question> waiting;
  bool working = false;  ///< whether there is a thread, which ends when nothing waits
};

name_lookup::name_lookup(resolve_function resolve) : queue_(std::make_shared<queue>()) {
  queue_->resolve = std::move(resolve);
}

name_lookup::~name_lookup() {
  std::deque<queue::question> dropped;
  const std::lock_guard lock{queue_->mutex};
  dropped.swap(queue_->waiting);
}

void name_lookup::start(const std::string& host, answer_handler handler) {
  const std::lock_guard lock{queue_->mutex};
  const auto same = std::ranges::find(queue_->waiting, host, &queue::question::host);
  if (same != queue_->waiting.end()) {
    same->handlers.push_back(std::move(handler));
    return;
  }
  if (!queue_->working) start_thread([todo = queue_] { work(todo); });
  queue_->working = true;
  queue_->waiting.push_back({.host = host, .handlers = {}});
  queue_->waiting.back().handlers.push_back(std::move(handler));
}

void name_lookup::work(const std::shared_ptr<queue>& todo) {
  std::unique_lock lock{todo->mutex};
  while (!todo->waiting.empty()) {
    std::optional next{std::move(todo->waiting.front())};
    todo->waiting.pop_front();
    lock.unlock();
    const std::vector<ip_address> addresses = todo->resolve(next->host);
    for (const auto& handler : next->handlers) handler(addresses);
    next.reset();  // without the lock, because with a handler the lookup itself may go
    lock.lock();
  }
  todo->working = false;
}

}  // namespace damson::capi
