#include "lab/net_namespace.hpp"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <exception>

#include "lab/process.hpp"

namespace lab {

net_namespace::net_namespace(std::string label) : label_(std::move(label)) {
  std::exception_ptr failure;
  std::thread([this, &failure] {
    try {
      checked(::unshare(CLONE_NEWNET), "unshare(CLONE_NEWNET) for " + label_);
      fd_ = unique_fd(checked(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC),
                              "open /proc/thread-self/ns/net"));
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) std::rethrow_exception(failure);
}

std::string net_namespace::path() const {
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd_.get());
}

void net_namespace::enter() const {
  checked(::setns(fd_.get(), CLONE_NEWNET), "setns to " + label_);
}

void net_namespace::set(std::string_view setting, std::string_view value) const {
  in(*this, [&] {
    const std::string file_name = "/proc/sys/" + std::string(setting);
    const unique_fd file(
        checked(::open(file_name.c_str(), O_WRONLY | O_CLOEXEC), "open " + file_name));
    if (::write(file.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size()))
      throw_errno("write " + std::string(value) + " to " + file_name);
  });
}

void detail::run_inside(const net_namespace& where, const std::function<void()>& work) {
  std::exception_ptr failure;
  std::thread([&] {
    try {
      where.enter();
      work();
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) std::rethrow_exception(failure);
}

void join(const net_namespace& from, std::string_view from_name, const net_namespace& to,
          std::string_view to_name) {
  run(from, {"ip", "link", "add", std::string(from_name), "type", "veth", "peer", "name",
             std::string(to_name), "netns", to.path()});
}

}  // namespace lab
