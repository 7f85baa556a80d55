#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <tuple>
#include <utility>
#include <vector>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>

#include <damson/client.hpp>

#include "contract.hpp"
#include "lan_client.hpp"

template <class... Result>
using future_result = std::future<std::tuple<damson::error_code, Result...>>;

/// Starts an operation; use_future would throw the error, and what comes with it would be lost.
template <class... Result, class Start>
future_result<Result...> begin_async(const Start& start) {
  auto answer = std::make_shared<std::promise<std::tuple<damson::error_code, Result...>>>();
  auto future = answer->get_future();
  start([answer](damson::error_code error, Result... result) {
    answer->set_value({error, std::move(result)...});
  });
  return future;
}

template <class T>
T within_limit(std::future<T> what) {
  if (what.wait_for(std::chrono::seconds{30}) != std::future_status::ready)
    throw lab::error("nothing came within thirty seconds");
  return what.get();
}

inline damson::map_request request(std::uint16_t port) { return {.internal_port = port}; }

/// All events of a client but the results of requests, until it is closed.
class event_log {
 public:
  explicit event_log(damson::client& of) : client_(of) { wait(); }
  event_log(const event_log&) = delete;
  event_log& operator=(const event_log&) = delete;
  ~event_log() {
    client_.async_close([](damson::error_code) {});
    EXPECT_EQ(closed_.wait_for(std::chrono::seconds{30}), std::future_status::ready);
  }

  std::shared_future<void> closed() const { return closed_; }

  std::vector<damson::removal> removals(damson::mapping_id which) const {
    const std::lock_guard lock{mutex_};
    std::vector<damson::removal> out;
    for (const auto& each : events_) {
      if (each.info.id == which && each.kind == damson::event_kind::removed)
        out.push_back(each.how);
    }
    return out;
  }

 private:
  void wait() {
    client_.async_next_event([this](damson::error_code error, damson::mapping_event event) {
      if (error) return end_.set_value();
      {
        const std::lock_guard lock{mutex_};
        events_.push_back(std::move(event));
      }
      wait();
    });
  }

  damson::client& client_;
  mutable std::mutex mutex_;
  std::vector<damson::mapping_event> events_;
  std::promise<void> end_;
  std::shared_future<void> closed_ = end_.get_future().share();
};

/// A request that can be called off.
class cancellable {
 public:
  cancellable(damson::client& by, const damson::map_request& what)
      : client_(by), result(begin_async<damson::mapping>([&](auto handler) {
          by.async_map(what,
                       boost::asio::bind_cancellation_slot(signal_->slot(), std::move(handler)));
        })) {}

  void cancel() {
    boost::asio::post(client_.get_executor(), [signal = signal_] {
      signal->emit(boost::asio::cancellation_type::terminal);
    });
  }

 private:
  damson::client& client_;
  std::shared_ptr<boost::asio::cancellation_signal> signal_ =
      std::make_shared<boost::asio::cancellation_signal>();

 public:
  future_result<damson::mapping> result;
};

/// The fixture. The client is one with a thread of its own, as a program without an event loop has
/// it.
class contract_cpp : public contract {
 protected:
  /// On the LAN host, as are the threads that are made there.
  std::unique_ptr<damson::client> start(const damson::options& opts = {}) const {
    return lab::in(net().lan(), [&] { return std::make_unique<damson::client>(with_log(opts)); });
  }

  static future_result<damson::mapping> begin_map(damson::client& by,
                                                  const damson::map_request& what) {
    return begin_async<damson::mapping>(
        [&](auto handler) { by.async_map(what, std::move(handler)); });
  }
  /// One that has to succeed.
  static damson::mapping map(damson::client& by, std::uint16_t port = service_port) {
    auto [error, handle] = within_limit(begin_map(by, request(port)));
    EXPECT_FALSE(error) << error.message() << ": " << to_string(handle.why());
    return std::move(handle);
  }
  static future_result<damson::removal> begin_release(damson::mapping handle) {
    return begin_async<damson::removal>(
        [&](auto handler) { std::move(handle).async_release(std::move(handler)); });
  }
  static damson::removal release(damson::mapping handle) {
    const auto [error, how] = within_limit(begin_release(std::move(handle)));
    EXPECT_FALSE(error) << error.message();
    return how;
  }
  static future_result<damson::mapping_event> begin_next_event(damson::mapping& of) {
    return begin_async<damson::mapping_event>(
        [&](auto handler) { of.async_next_event(std::move(handler)); });
  }
  static damson::mapping_event next_event(damson::mapping& of) {
    auto [error, event] = within_limit(begin_next_event(of));
    EXPECT_FALSE(error) << error.message();
    return event;
  }
  static future_result<> begin_close(damson::client& what) {
    return begin_async<>([&](auto handler) { what.async_close(std::move(handler)); });
  }
  static void close(damson::client& what) {
    EXPECT_LT(time_of([&] { within_limit(begin_close(what)); }), release_bound);
  }
  static damson::protocol_filter only() {
    if (GetParam() == damson::protocol::upnp) return damson::protocol_filter::upnp;
    return GetParam() == damson::protocol::pcp ? damson::protocol_filter::pcp_only
                                               : damson::protocol_filter::nat_pmp_only;
  }
  static bool has_reason_for(const damson::failure& why, damson::protocol which) {
    return std::ranges::find(why.protocols, which, &damson::protocol_failure::protocol) !=
           why.protocols.end();
  }
};
