#include <chrono>
#include <iostream>

#include <damson/client.hpp>
#include <damson/testing.hpp>

int main() {
  const damson::test_router router{"strict"};
  damson::client client{damson::options{.gateway = router.address()}};
  const damson::mapping port = client.keep_open({.internal_port = 8080});
  const bool is_open = router.wait_for_mappings(1, std::chrono::seconds{20});
  std::cout << router.address() << (is_open ? " has" : " does not have") << " a mapping\n";
  return is_open ? 0 : 1;
}
