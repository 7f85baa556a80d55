// Several threads and handlers at once on several clients of one router, with ends and new
// beginnings in between.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <damson/damson.hpp>

#include "client_fixture.hpp"

namespace damson {
namespace {

namespace asio = boost::asio;
using testing::IsEmpty;

/// What came of operations and mappings.
class ledger {
 public:
  void begin_operation() { ++open_operations_; }
  void end_operation() { --open_operations_; }
  std::ptrdiff_t open_operations() const { return open_operations_; }

  void note_handed_out(mapping_id which) {
    const std::lock_guard lock{mutex_};
    lives_[which].handed_out = true;
    last_ = which;
  }
  void note_removed(mapping_id which) {
    const std::lock_guard lock{mutex_};
    ++lives_[which].ends;
  }

  mapping_id last() const {
    const std::lock_guard lock{mutex_};
    return last_;
  }
  std::size_t handed_out() const {
    const std::lock_guard lock{mutex_};
    return lives_.size();
  }
  /// The mappings whose end was told never, more than once, or to nobody's benefit.
  std::vector<mapping_id> with_wrong_end() const {
    std::vector<mapping_id> out;
    const std::lock_guard lock{mutex_};
    for (const auto& [which, how] : lives_) {
      if (!how.handed_out || how.ends != 1) out.push_back(which);
    }
    return out;
  }

 private:
  struct life {
    bool handed_out = false;
    int ends = 0;
  };

  std::atomic<std::ptrdiff_t> open_operations_{0};
  mutable std::mutex mutex_;
  std::map<mapping_id, life> lives_;
  mapping_id last_ = mapping_id::none;
};

/// Goes with the handler of an operation, which has to be called once. The operation has ended when
/// the handler is gone.
class receipt {
 public:
  explicit receipt(ledger& book) : book_(&book) { book.begin_operation(); }
  receipt(receipt&& other) noexcept
      : book_(std::exchange(other.book_, nullptr)), redeemed_(other.redeemed_) {}
  receipt(const receipt&) = delete;
  receipt& operator=(const receipt&) = delete;
  receipt& operator=(receipt&&) = delete;
  ~receipt() {
    if (book_ == nullptr) return;
    EXPECT_TRUE(redeemed_) << "a handler was destroyed instead of called";
    book_->end_operation();
  }

  void redeem() {
    EXPECT_FALSE(redeemed_) << "a handler was called again";
    redeemed_ = true;
  }

 private:
  ledger* book_;
  bool redeemed_ = false;
};

/// One client, and the threads that use it until and after it is closed.
class crowd {
 public:
  static constexpr int steps_of_a_thread = 120;
  static constexpr unsigned thread_count = 2;

  /// With a thread of its own.
  crowd(const options& opts, std::uint16_t first_port)
      : first_port_(first_port), client_(std::in_place, opts) {}
  crowd(asio::thread_pool& pool, const options& opts, std::uint16_t first_port)
      : first_port_(first_port), client_(std::in_place, pool, opts) {}
  crowd(const crowd&) = delete;
  crowd& operator=(const crowd&) = delete;
  ~crowd() = default;

  void start(unsigned seed);
  bool is_half_done() const {
    return steps_ > steps_of_a_thread * static_cast<int>(thread_count) / 2;
  }

  /// Closes the client while the threads go on, and waits for both.
  void close();
  /// Destroys the client and the handles, in this order or the other one.
  void end(bool handles_first);

  const ledger& book() const { return book_; }

 private:
  void run(unsigned seed);
  void step(unsigned number);
  void map_with_callback(unsigned number);
  void map_with_future(unsigned number);
  void map_and_cancel(unsigned number);
  void keep_open(unsigned number);
  void release(mapping handle);
  void wait_for_event(unsigned number);
  void look(mapping_id which);
  void on_mapped(mapping handle, unsigned number);
  void hear_of_all();

  map_request request(unsigned number) const {
    auto out = pcp_for(static_cast<std::uint16_t>(first_port_ + number % 4));
    out.transport = number / 4 % 2 == 0 ? transport::tcp : transport::udp;
    return out;
  }
  /// For other threads to take.
  void put_away(mapping handle) {
    const std::lock_guard lock{shelf_mutex_};
    shelf_.push_back(std::move(handle));
  }
  mapping take(unsigned number);

  ledger book_;
  const std::uint16_t first_port_;
  std::atomic<int> steps_{0};
  std::mutex shelf_mutex_;
  std::vector<mapping> shelf_;
  std::optional<client> client_;
  std::vector<std::jthread> threads_;
};

void crowd::start(unsigned seed) {
  hear_of_all();
  for (unsigned thread = 0; thread < thread_count; ++thread)
    threads_.emplace_back([this, seed, thread] { run(seed * thread_count + thread + 1); });
}

void crowd::run(unsigned seed) {
  std::minstd_rand random{seed};
  for (int i = 0; i < steps_of_a_thread; ++i, ++steps_) step(static_cast<unsigned>(random() / 8));
}

void crowd::step(unsigned number) {
  const unsigned detail = number / 8;
  switch (number % 8) {
    case 0:
    case 1:
      return map_with_callback(detail);
    case 2:
      return map_with_future(detail);
    case 3:
      return map_and_cancel(detail);
    case 4:
      return keep_open(detail);
    case 5:
      return release(take(detail));
    case 6:
      return wait_for_event(detail);
    default:
      take(detail);  // and destroys it
      return look(book_.last());
  }
}

mapping crowd::take(unsigned number) {
  const std::lock_guard lock{shelf_mutex_};
  if (shelf_.empty()) return {};
  std::swap(shelf_[number % shelf_.size()], shelf_.back());
  mapping out = std::move(shelf_.back());
  shelf_.pop_back();
  return out;
}

void crowd::map_with_callback(unsigned number) {
  client_->async_map(request(number), [this, number, once = receipt{book_}](
                                          error_code error, mapping handle) mutable {
    once.redeem();
    if (error) {
      EXPECT_TRUE(error == errc::closed) << error.message();
      EXPECT_FALSE(handle);
    } else {
      on_mapped(std::move(handle), number);
    }
  });
}

/// From within a handler.
void crowd::on_mapped(mapping handle, unsigned number) {
  book_.note_handed_out(handle.id());
  look(handle.id());
  if (number % 3 == 0) map_with_callback(number / 3 + 1);
  if (number % 5 == 0) return release(std::move(handle));
  if (number % 5 == 1) return;  // destroys it
  put_away(std::move(handle));
}

void crowd::map_with_future(unsigned number) {
  try {
    mapping handle = client_->async_map(request(number), asio::use_future).get();
    book_.note_handed_out(handle.id());
    put_away(std::move(handle));
  } catch (const boost::system::system_error& error) {
    EXPECT_TRUE(error.code() == errc::closed) << error.what();
  }
}

void crowd::map_and_cancel(unsigned number) {
  const auto signal = std::make_shared<asio::cancellation_signal>();
  client_->async_map(
      request(number),
      asio::bind_cancellation_slot(signal->slot(), [this, signal, once = receipt{book_}](
                                                       error_code error, mapping handle) mutable {
        once.redeem();
        if (error) {
          EXPECT_TRUE(error == errc::closed || error == asio::error::operation_aborted)
              << error.message();
          return;
        }
        book_.note_handed_out(handle.id());
        put_away(std::move(handle));
      }));
  signal->emit(asio::cancellation_type::total);
}

void crowd::keep_open(unsigned number) {
  mapping handle = number % 2 == 0
                       ? client_->keep_open(request(number))
                       : client_->keep_open(request(number), [](const endpoint& /*external*/) {});
  book_.note_handed_out(handle.id());
  look(handle.id());
  put_away(std::move(handle));
}

void crowd::release(mapping handle) {
  const bool is_empty = !handle;
  std::move(handle).async_release(
      [is_empty, once = receipt{book_}](error_code error, removal /*how*/) mutable {
        once.redeem();
        EXPECT_EQ(error == errc::closed, is_empty) << error.message();
      });
}

void crowd::wait_for_event(unsigned number) {
  mapping handle = take(number);
  if (!handle) return;
  handle.async_next_event(
      [this, once = receipt{book_}](error_code error, const mapping_event& event) mutable {
        once.redeem();
        EXPECT_TRUE(!error || error == errc::busy || error == errc::closed) << error.message();
        if (!error && event.kind == event_kind::removed) book_.note_removed(event.info.id);
      });
  put_away(std::move(handle));
}

void crowd::look(mapping_id which) {
  // Another thread may change any of it meanwhile; the thread sanitizer looks on.
  const auto status = client_->query(which);
  EXPECT_TRUE(!status || !to_string(*status).empty());
  static_cast<void>(client_->has(which));
  static_cast<void>(client_->active_count());
}

/// All events that nobody waits for on a handle, until there are no more.
void crowd::hear_of_all() {
  client_->async_next_event(
      [this, once = receipt{book_}](error_code error, const mapping_event& event) mutable {
        once.redeem();
        if (error) {
          EXPECT_TRUE(error == errc::closed) << error.message();
          return;
        }
        if (event.kind == event_kind::removed) book_.note_removed(event.info.id);
        hear_of_all();
      });
}

void crowd::close() {
  std::array<std::future<void>, 2> closed;
  for (auto& each : closed) each = client_->async_close(asio::use_future);
  for (auto& each : closed) {
    ASSERT_EQ(each.wait_for(patience), std::future_status::ready);
    each.get();
  }
  EXPECT_EQ(client_->active_count(), 0U);
  threads_.clear();
  ASSERT_TRUE(wait_until([&] { return book_.open_operations() == 0; }));
  // The end of what was asked for on the closed client.
  hear_of_all();
  ASSERT_TRUE(wait_until([&] { return book_.open_operations() == 0; }));
  EXPECT_EQ(client_->active_count(), 0U);
  EXPECT_FALSE(client_->has(book_.last()));
}

void crowd::end(bool handles_first) {
  if (handles_first) shelf_.clear();
  client_.reset();
  shelf_.clear();
}

/// Both kinds of client on one router, each with ports of its own, since a router gives a port to
/// one nonce only.
class client_stress_test : public testing::Test {
 protected:
  void live_and_end(unsigned seed) {
    const auto token = std::make_shared<int>();
    asio::thread_pool pool{2};
    {
      auto opts = router_.options();
      // What a client keeps for as long as anything of it is there.
      opts.log = [token, log = opts.log](log_level level, std::string_view line) {
        if (log) log(level, line);
      };
      crowd first{opts, 8000};
      crowd second{opts, 8010};
      crowd on_pool{pool, opts, 8020};
      opts = {};
      const std::array all{&first, &second, &on_pool};
      for (std::size_t i = 0; i < all.size(); ++i)
        all.at(i)->start(seed * static_cast<unsigned>(all.size()) + static_cast<unsigned>(i));
      for (crowd* each : all) ASSERT_TRUE(wait_until([&] { return each->is_half_done(); }));
      for (crowd* each : all) each->close();
      EXPECT_THAT(router_.rules(), IsEmpty());
      for (crowd* each : all) each->end(seed % 2 == 0);
      // It ends only when no work is left.
      auto joined = std::async(std::launch::async, [&] { pool.join(); });
      EXPECT_EQ(joined.wait_for(patience), std::future_status::ready);
      for (const crowd* each : all) {
        EXPECT_EQ(each->book().open_operations(), 0);
        EXPECT_THAT(each->book().with_wrong_end(), IsEmpty());
        EXPECT_GT(each->book().handed_out(), 20U);
      }
    }
    EXPECT_EQ(token.use_count(), 1) << "something of a client is kept alive";
  }

  test_router router_;
};

TEST_F(client_stress_test, ends_everything_once) {
  for (unsigned cycle = 0; cycle < 5; ++cycle) live_and_end(cycle);
}

}  // namespace
}  // namespace damson
