#pragma once

#include <concepts>
#include <functional>
#include <future>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>

#include "lab/support.hpp"

namespace lab {

/// A network namespace without a name in the file system: it lives as long as this object, or a
/// socket or process in it.
class net_namespace {
 public:
  /// `label` stands for it in messages only.
  explicit net_namespace(std::string label);

  const std::string& label() const { return label_; }

  /// A path by which a program started by this one can open the namespace (`ip link … netns PATH`).
  std::string path() const;

  /// Moves the calling thread in, for good.
  void enter() const;

  /// Writes a setting of this namespace, named as under /proc/sys ("net/ipv4/ip_forward").
  void set(std::string_view setting, std::string_view value) const;

 private:
  std::string label_;
  unique_fd fd_;
};

namespace detail {
void run_inside(const net_namespace& where, const std::function<void()>& work);
}  // namespace detail

/// Calls `work` on a thread of its own inside `where`, waits for it, and hands its result or
/// exception on. A socket stays in the namespace in which it was made, whichever thread uses it
/// later:
///
///     unique_fd socket = lab::in(net.lan(), [] { return unique_fd(::socket(AF_INET, …)); });
template <std::invocable Work>
std::invoke_result_t<Work> in(const net_namespace& where, Work&& work) {
  std::packaged_task<std::invoke_result_t<Work>()> task(std::forward<Work>(work));
  auto result = task.get_future();
  detail::run_inside(where, [&task] { task(); });
  return result.get();
}

/// Starts `work` on a thread inside `where` that is joined when the returned object goes: for what
/// has to run while the test does something else, an io_context for instance. An exception that
/// leaves `work` ends the program.
template <std::invocable Work>
[[nodiscard]] std::jthread in_background(const net_namespace& where, Work work) {
  return std::jthread([&where, work = std::move(work)]() mutable {
    where.enter();
    std::invoke(work);
  });
}

/// Joins the two namespaces by a veth pair, `from_name` in the first and `to_name` in the second.
void join(const net_namespace& from, std::string_view from_name, const net_namespace& to,
          std::string_view to_name);

}  // namespace lab
