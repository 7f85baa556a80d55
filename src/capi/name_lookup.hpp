#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <damson/types.hpp>

namespace damson::capi {

/// The addresses of a host name; empty where it has none. May block as long as it likes.
using resolve_function = std::function<std::vector<ip_address>(const std::string& host)>;

/// Asks the system's name service.
std::vector<ip_address> resolve_by_system(const std::string& host);

/// Resolves names, one after the other, on a thread of its own that nobody ever waits for: a name
/// service that is out of reach keeps it for half a minute, and neither a client's thread nor the
/// end of a client may be held up by that.
///
/// May be called from any thread.
class name_lookup {
 public:
  using answer_handler = std::function<void(const std::vector<ip_address>& addresses)>;

  explicit name_lookup(resolve_function resolve);
  name_lookup(const name_lookup&) = delete;
  name_lookup& operator=(const name_lookup&) = delete;
  /// Names that wait for their turn are not looked up any more; their handlers are destroyed.
  ~name_lookup();

  /// The handler is called on that thread. Those that wait for one name are answered together.
  void start(const std::string& host, answer_handler handler);

 private:
  struct queue;
  static void work(const std::shared_ptr<queue>& todo);

  std::shared_ptr<queue> queue_;
};

}  // namespace damson::capi
