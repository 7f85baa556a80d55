#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include <damson/types.hpp>

namespace damson {

/// Named timers, at most one for each name, with one next deadline.
///
/// `Key` is a value with a strict weak order (operator<), equality and a hash. To look one up takes
/// constant time, to set, move or take one O(log n).
template <class Key, class Hash = std::hash<Key>>
class timer_table {
 public:
  /// Sets or moves the timer.
  void set(const Key& key, time_point at) {
    const auto [entry, is_new] = by_key_.try_emplace(key);
    if (is_new) {
      entry->second = by_time_.emplace(at, key).first;
    } else if (entry->second->first != at) {
      auto moved = by_time_.extract(entry->second);
      moved.value().first = at;
      entry->second = by_time_.insert(std::move(moved)).position;
    }
  }

  /// No effect when the timer is not set.
  void cancel(const Key& key) {
    const auto entry = by_key_.find(key);
    if (entry == by_key_.end()) return;
    by_time_.erase(entry->second);
    by_key_.erase(entry);
  }

  /// When the first timer is due; empty when none is set.
  std::optional<time_point> next() const {
    if (by_time_.empty()) return std::nullopt;
    return by_time_.begin()->first;
  }

  /// Takes out the timer that has been due longest (of equal ones, that of the least key); empty
  /// when none is due at `now`. A timer is due at its own time already.
  std::optional<Key> take_due(time_point now) {
    if (by_time_.empty() || by_time_.begin()->first > now) return std::nullopt;
    std::optional<Key> key{by_time_.begin()->second};
    by_key_.erase(*key);
    by_time_.erase(by_time_.begin());
    return key;
  }

  /// When the timer is due; empty when it is not set.
  std::optional<time_point> at(const Key& key) const {
    const auto entry = by_key_.find(key);
    if (entry == by_key_.end()) return std::nullopt;
    return entry->second->first;
  }

  bool is_set(const Key& key) const { return by_key_.contains(key); }
  std::size_t size() const noexcept { return by_key_.size(); }

 private:
  using timeline = std::set<std::pair<time_point, Key>>;

  timeline by_time_;
  std::unordered_map<Key, typename timeline::iterator, Hash> by_key_;
};

}  // namespace damson
