#pragma once

#include <memory>

#include <boost/asio/any_io_executor.hpp>

#include <damson/engine.hpp>

namespace damson::driver {

/// Takes what exchanges come to, on their executor.
class http_listener {
 public:
  /// The views of `answer` are borrowed for the call.
  virtual void on_http_response(const http_response& answer) = 0;
  virtual void on_http_failed(const http_failed& failure) = 0;

 protected:
  ~http_listener() = default;
};

/// One HTTP exchange that the engine asked for, over a TCP connection of its own. All calls come
/// from the executor, a strand.
class http_exchange {
 public:
  /// Connects, asks and reads the answer. The listener is told once how that went, never before
  /// this returns; a pending operation keeps it and the exchange alive. Deadlines beyond a day are
  /// one of a day.
  static std::shared_ptr<http_exchange> start(const boost::asio::any_io_executor& executor,
                                              send_http order,
                                              std::weak_ptr<http_listener> listener);

  virtual ~http_exchange() = default;

  /// Closes the connection; nothing is told any more. May be called from within the listener.
  virtual void cancel() = 0;
};

}  // namespace damson::driver
