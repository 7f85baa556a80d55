#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>

namespace damson::cli {

/// A Unix stream socket in the file system on which programs of the same user send commands, a line
/// each, and get a line in reply to each, in order. Bounded: in the length of a line and in
/// connections at a time.
///
/// Everything happens on the executor, which must run one handler at a time.
class control_socket {
 public:
  /// From a line, without its end, to the reply, without its end.
  using answerer = std::function<std::string(std::string_view line)>;

  /// Makes the file, which only its owner may use; one that an ended program has left is replaced.
  /// Throws std::runtime_error, with what to try, when somebody listens there already, the path is
  /// something else, or the file cannot be made.
  control_socket(const boost::asio::any_io_executor& executor, std::string path, answerer answer);
  control_socket(const control_socket&) = delete;
  control_socket& operator=(const control_socket&) = delete;
  /// Cuts the connections, and removes the file unless it is somebody else's by now.
  ~control_socket();

 private:
  class server;
  std::shared_ptr<server> server_;
};

}  // namespace damson::cli
