#include "capi/dummytls.hpp"

#include <algorithm>
#include <cstddef>
#include <future>
#include <memory>
#include <ranges>
#include <utility>

namespace damson::capi {
namespace {

constexpr std::array<std::string_view, 4> targets{"/cert.pem", "/chain.pem", "/fullchain.pem",
                                                  "/privkey.pem"};

/// Of a host name as text (RFC 1035 section 2.3.4, without the last dot).
constexpr std::size_t longest_name = 253;
constexpr std::size_t longest_label = 63;
constexpr std::string_view longest_address = "255-255-255-255.";

bool is_label(std::string_view text) {
  constexpr std::string_view allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
  return !text.empty() && text.size() <= longest_label &&
         text.find_first_not_of(allowed) == std::string_view::npos;
}

/// Waits for what a handler on another thread says; nothing where it does not say it in time.
template <class Answer, class Start>
std::optional<Answer> wait_for(std::chrono::steady_clock::time_point deadline, Start start) {
  const auto promise = std::make_shared<std::promise<Answer>>();
  std::future<Answer> answer = promise->get_future();
  start([promise](Answer result) { promise->set_value(std::move(result)); });
  if (answer.wait_until(deadline) != std::future_status::ready) return std::nullopt;
  return answer.get();
}

}  // namespace

bool is_domain(std::string_view text) {
  if (text.size() + longest_address.size() > longest_name) return false;
  for (;;) {
    const std::size_t dot = text.find('.');
    if (!is_label(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

dummytls::dummytls(std::string domain, dummytls_surroundings around)
    : domain_(std::move(domain)), around_(std::move(around)), names_(around_.resolve) {}

std::string dummytls::name_of(const ip_address& address) const {
  std::string name = to_string(address);
  std::ranges::replace_if(name, [](char c) { return c == '.' || c == ':'; }, '-');
  return name + '.' + domain_;
}

void dummytls::check_host(const ip_address& address, host_handler handler) {
  const std::string name = name_of(address);
  if (name.size() > longest_name) {
    handler(std::nullopt);
    return;
  }
  names_.start(name,
               [name, address, handler = std::move(handler)](const std::vector<ip_address>& found) {
                 const bool leads_there =
                     !found.empty() && std::ranges::count(found, address) == std::ssize(found);
                 handler(leads_there ? std::optional{name} : std::nullopt);
               });
}

std::optional<std::string> dummytls::host(const ip_address& address) {
  const auto answer = wait_for<std::optional<std::string>>(
      clock::now() + host_limit,
      [&](host_handler handler) { check_host(address, std::move(handler)); });
  return answer.value_or(std::nullopt);
}

std::optional<std::string> dummytls::file(dummytls_file which) {
  const auto index = static_cast<std::size_t>(which);
  std::unique_lock lock{files_mutex_};
  if (is_fresh(around_.now()) && files_->files.at(index)) return files_->files.at(index);
  std::shared_future<void> outcome = fetching_;
  if (outcome.valid()) {
    lock.unlock();
    outcome.wait();
    lock.lock();
  } else {
    std::packaged_task<void()> task{[this] { keep(fetch()); }};
    fetching_ = outcome = task.get_future().share();
    lock.unlock();
    task();
    lock.lock();
    fetching_ = {};
  }
  outcome.get();  // throws what the fetch has thrown
  return files_->files.at(index);
}

bool dummytls::is_fresh(clock::time_point now) const {
  return files_ && now < files_->fetched + keep_files_for;
}

/// What is there is not given away for nothing.
void dummytls::keep(file_set fetched) {
  const std::lock_guard lock{files_mutex_};
  const auto is_new = [&](std::size_t i) { return fetched.files.at(i) && !files_->files.at(i); };
  if (!is_fresh(fetched.fetched) ||
      std::ranges::any_of(std::views::iota(std::size_t{0}, file_count), is_new))
    files_ = std::move(fetched);
}

std::vector<ip_address> dummytls::resolve_domain(clock::time_point deadline) {
  auto found = wait_for<std::vector<ip_address>>(
      deadline, [this](auto handler) { names_.start(domain_, std::move(handler)); });
  return std::move(found).value_or(std::vector<ip_address>{});
}

dummytls::file_set dummytls::fetch() {
  const clock::time_point deadline = clock::now() + fetch_limit;
  file_set out{.fetched = around_.now(), .files = {}};
  const std::vector<ip_address> servers = resolve_domain(deadline);
  // An address that gave one file gives all of them, so that they belong together. A silent one
  // leaves the others their share of the time.
  auto left = std::ssize(servers);
  for (const ip_address& server : servers) {
    const clock::time_point now = clock::now();
    const clock::time_point share = now + (deadline - now) / left--;
    for (std::size_t i = 0; i < file_count && clock::now() < share; ++i) {
      out.files.at(i) = fetch_file({.server = {.address = server, .port = around_.http_port},
                                    .host = domain_,
                                    .target = std::string{targets.at(i)}},
                                   share);
    }
    if (std::ranges::any_of(out.files, [](const auto& file) { return file.has_value(); })) break;
  }
  return out;
}

}  // namespace damson::capi
