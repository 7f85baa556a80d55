#include "control_socket.hpp"

#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include "gateway_output.hpp"
#include "text.hpp"

namespace damson::cli {
namespace {

namespace asio = boost::asio;
using asio::local::stream_protocol;
using boost::system::error_code;

constexpr std::size_t line_limit = 4096;
constexpr std::size_t connection_limit = 16;
constexpr mode_t others = 0177;  ///< all that the owner is not to do, and everybody else

[[noreturn]] void refuse(const std::string& path, const std::string& why,
                         const std::string& advice) {
  throw std::runtime_error("the control socket " + printable(path) + " cannot be made: " + why +
                           ". Try: " + advice);
}

/// Restored with the scope; only files that this thread makes meanwhile are meant.
class file_mask {
 public:
  explicit file_mask(mode_t mask) : before_(::umask(mask)) {}
  file_mask(const file_mask&) = delete;
  file_mask& operator=(const file_mask&) = delete;
  ~file_mask() { ::umask(before_); }

 private:
  mode_t before_;
};

struct file_identity {
  dev_t device{};
  ino_t number{};
  bool operator==(const file_identity&) const = default;
};

/// Empty where there is nothing; links are not followed.
std::optional<struct stat> look_at(const std::string& path) {
  struct stat found{};
  if (::lstat(path.c_str(), &found) != 0) {
    return std::nullopt;
  }
  return found;
}

std::optional<file_identity> identity_of(const std::string& path) {
  const auto found = look_at(path);
  return found ? std::optional{file_identity{found->st_dev, found->st_ino}} : std::nullopt;
}

void remove_stale(const asio::any_io_executor& executor, const std::string& path,
                  const stream_protocol::endpoint& where) {
  const auto found = look_at(path);
  if (!found) {
    return;
  }
  if (!S_ISSOCK(found->st_mode)) {
    refuse(path, "there is a file of that name which is no socket", "another path");
  }
  error_code error;
  stream_protocol::socket probe{executor};
  std::ignore = probe.connect(where, error);
  if (!error || error == asio::error::would_block || error == asio::error::try_again) {
    refuse(path, "another program listens there", "another path, or end that program");
  }
  if (error != asio::error::connection_refused) {
    refuse(path, error.message(), "another path");
  }
  ::unlink(path.c_str());
}

/// One program's. Pending operations keep it alive.
class connection : public std::enable_shared_from_this<connection> {
 public:
  connection(stream_protocol::socket socket, control_socket::answerer answer)
      : socket_(std::move(socket)), answer_(std::move(answer)) {}

  void start(std::function<void()> end) {
    end_ = std::move(end);
    read();
  }

  void cut() {
    error_code ignored;
    std::ignore = socket_.close(ignored);
  }

 private:
  void read() {
    asio::async_read_until(
        socket_, asio::dynamic_buffer(received_, line_limit), '\n',
        [self = shared_from_this()](const error_code& error, std::size_t length) {
          self->take(error, length);
        });
  }

  void take(const error_code& error, std::size_t length) {
    if (!error) {
      const std::string line = received_.substr(0, length - 1);
      received_.erase(0, length);
      reply(answer_(line), false);
    } else if (error == asio::error::not_found) {
      reply(json_error("a line has " + std::to_string(line_limit) + " bytes at most"), true);
    } else if (error == asio::error::eof && !received_.empty()) {
      // A last line without its end, as printf sends it.
      reply(answer_(std::exchange(received_, {})), true);
    } else {
      finish();
    }
  }

  void reply(std::string text, bool is_last) {
    sending_ = std::move(text) + "\n";
    asio::async_write(socket_, asio::buffer(sending_),
                      [self = shared_from_this(), is_last](const error_code& error, std::size_t) {
                        if (error || is_last) {
                          self->finish();
                        } else {
                          self->read();
                        }
                      });
  }

  void finish() {
    cut();
    if (const auto end = std::exchange(end_, nullptr)) {
      end();
    }
  }

  stream_protocol::socket socket_;
  control_socket::answerer answer_;
  std::function<void()> end_;
  std::string received_;
  std::string sending_;
};

}  // namespace

class control_socket::server : public std::enable_shared_from_this<server> {
 public:
  server(const asio::any_io_executor& executor, std::string path, answerer answer)
      : path_(std::move(path)), answer_(std::move(answer)), acceptor_(executor) {
    constexpr std::size_t longest = sizeof(sockaddr_un::sun_path) - 1;
    if (path_.empty() || path_.size() > longest) {
      refuse(path_, "its path must have 1 to " + std::to_string(longest) + " bytes",
             "a shorter one, or the same seen from another working directory");
    }
    const stream_protocol::endpoint where{path_};
    remove_stale(executor, path_, where);
    error_code error;
    {
      const file_mask mask{others};
      std::ignore = acceptor_.open(where.protocol(), error);
      if (!error) std::ignore = acceptor_.bind(where, error);
    }
    if (error) {
      refuse(path_, error.message(), "a path in a directory of yours");
    }
    made_ = identity_of(path_);
    std::ignore = acceptor_.listen(stream_protocol::acceptor::max_listen_connections, error);
    if (error) {
      remove_file();
      refuse(path_, error.message(), "another path");
    }
  }

  void accept() {
    if (accepting_ || !acceptor_.is_open() || connections_.size() >= connection_limit) {
      return;
    }
    accepting_ = true;
    acceptor_.async_accept(
        [self = shared_from_this()](const error_code& error, stream_protocol::socket socket) {
          self->accepting_ = false;
          if (!error) {
            self->serve(std::move(socket));
            self->accept();
          }
        });
  }

  void close() {
    error_code ignored;
    std::ignore = acceptor_.close(ignored);
    for (const auto& one : connections_) {
      one->cut();
    }
    remove_file();
  }

 private:
  void serve(stream_protocol::socket socket) {
    const auto one = std::make_shared<connection>(std::move(socket), answer_);
    connections_.push_back(one);
    one->start([weak = weak_from_this(), one = one.get()] {
      if (const auto self = weak.lock()) {
        std::erase_if(self->connections_, [one](const auto& each) { return each.get() == one; });
        self->accept();
      }
    });
  }

  void remove_file() {
    if (made_ && identity_of(path_) == made_) {
      ::unlink(path_.c_str());
    }
    made_.reset();
  }

  std::string path_;
  answerer answer_;
  stream_protocol::acceptor acceptor_;
  std::optional<file_identity> made_;
  std::vector<std::shared_ptr<connection>> connections_;
  bool accepting_ = false;
};

control_socket::control_socket(const asio::any_io_executor& executor, std::string path,
                               answerer answer)
    : server_(std::make_shared<server>(executor, std::move(path), std::move(answer))) {
  server_->accept();
}

control_socket::~control_socket() { server_->close(); }

}  // namespace damson::cli
