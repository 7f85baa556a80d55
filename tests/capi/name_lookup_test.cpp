#include "capi/name_lookup.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace damson::capi {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

ip_address address(const char* text) { return ip_address::parse(text).value(); }

/// A name service that answers when it is told to.
struct slow_service {
  std::promise<void> asked;
  std::promise<void> go;
  std::atomic<int> questions{0};

  resolve_function resolve() {
    return [this, going = go.get_future().share()](const std::string& host) {
      if (questions++ == 0) asked.set_value();
      going.wait();
      return std::vector{address(host == "a.example" ? "192.0.2.1" : "192.0.2.2")};
    };
  }
};

struct answer {
  std::promise<std::vector<ip_address>> promise;

  name_lookup::answer_handler handler() {
    return [this](const std::vector<ip_address>& found) { promise.set_value(found); };
  }
  std::vector<ip_address> get() { return promise.get_future().get(); }
};

TEST(capi_name_lookup, asks_on_another_thread_and_never_waits_in_the_call) {
  slow_service service;
  name_lookup names{service.resolve()};
  answer first;
  names.start("a.example", first.handler());
  service.asked.get_future().wait();
  service.go.set_value();
  EXPECT_THAT(first.get(), ElementsAre(address("192.0.2.1")));
}

TEST(capi_name_lookup, asks_once_for_a_name_that_several_wait_for) {
  slow_service service;
  name_lookup names{service.resolve()};
  answer first;
  answer second;
  answer third;
  names.start("a.example", first.handler());
  service.asked.get_future().wait();
  names.start("b.example", second.handler());
  names.start("b.example", third.handler());
  service.go.set_value();
  EXPECT_THAT(first.get(), ElementsAre(address("192.0.2.1")));
  EXPECT_THAT(second.get(), ElementsAre(address("192.0.2.2")));
  EXPECT_THAT(third.get(), ElementsAre(address("192.0.2.2")));
  EXPECT_EQ(service.questions, 2);
}

TEST(capi_name_lookup, goes_without_waiting_for_an_answer) {
  slow_service service;
  answer first;
  const auto dropped = std::make_shared<int>();
  {
    name_lookup names{service.resolve()};
    names.start("a.example", first.handler());
    service.asked.get_future().wait();
    names.start("b.example", [dropped](const auto&) { FAIL() << "asked all the same"; });
  }
  EXPECT_EQ(dropped.use_count(), 1);
  service.go.set_value();
  EXPECT_THAT(first.get(), ElementsAre(address("192.0.2.1")));
  EXPECT_EQ(service.questions, 1);
}

/// Goes after the lookup beside it.
struct farewell {
  std::promise<void>& said;
  ~farewell() { said.set_value(); }
};

struct lookup_with_farewell {
  farewell last;
  name_lookup names;
};

TEST(capi_name_lookup, may_go_with_the_handler_of_its_own_answer) {
  slow_service service;
  std::promise<void> gone;
  {
    const std::shared_ptr<lookup_with_farewell> owner{
        new lookup_with_farewell{.last = {gone}, .names = name_lookup{service.resolve()}}};
    owner->names.start("a.example", [owner](const auto&) {});
  }
  service.go.set_value();
  gone.get_future().wait();
  EXPECT_EQ(service.questions, 1);
}

TEST(capi_name_lookup, knows_what_the_system_knows) {
  EXPECT_THAT(resolve_by_system("localhost"), Contains(address("127.0.0.1")));
  EXPECT_THAT(resolve_by_system("no such name"), IsEmpty());
}

}  // namespace
}  // namespace damson::capi
