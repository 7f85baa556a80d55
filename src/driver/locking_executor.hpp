#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/require.hpp>

namespace damson::driver {

/// Serialises what a strand runs with what is done in its place, from outside, while nobody runs
/// the strand.
using gate = std::recursive_mutex;

/// An executor that runs its functions as the one inside does, and behind a gate. Only a strand
/// should stand before it: others would block one another's threads.
class locking_executor {
 public:
  locking_executor(boost::asio::any_io_executor inner, std::shared_ptr<gate> lock) noexcept
      : inner_(std::move(inner)), gate_(std::move(lock)) {}

  template <class Property>
    requires boost::asio::can_query<const boost::asio::any_io_executor&, Property>::value
  decltype(auto) query(const Property& property) const {
    return boost::asio::query(inner_, property);
  }
  boost::asio::execution_context& query(boost::asio::execution::context_t property) const noexcept {
    return boost::asio::query(inner_, property);
  }

  template <class Property>
    requires boost::asio::can_require<const boost::asio::any_io_executor&, Property>::value
  locking_executor require(const Property& property) const {
    return {boost::asio::require(inner_, property), gate_};
  }

  template <class Property>
    requires boost::asio::can_prefer<const boost::asio::any_io_executor&, Property>::value
  locking_executor prefer(const Property& property) const {
    return {boost::asio::prefer(inner_, property), gate_};
  }

  template <class Function>
  void execute(Function&& function) const {
    inner_.execute([gate = gate_, function = std::forward<Function>(function)]() mutable {
      const std::lock_guard lock{*gate};
      std::move(function)();
    });
  }

  friend bool operator==(const locking_executor& a, const locking_executor& b) noexcept {
    return a.gate_ == b.gate_ && a.inner_ == b.inner_;
  }
  friend bool operator!=(const locking_executor& a, const locking_executor& b) noexcept {
    return !(a == b);
  }

 private:
  boost::asio::any_io_executor inner_;
  std::shared_ptr<gate> gate_;
};

}  // namespace damson::driver
