#include <iostream>
#include <string_view>

#include <boost/asio/io_context.hpp>

#include <damson/damson.hpp>

int main() {
  boost::asio::io_context io;
  {
    const damson::client idle{io};
    const damson::client with_a_thread;
    std::cout << idle.active_count() << with_a_thread.active_count() << '\n';
  }
  io.run();
  std::cout << damson::library_version() << '\n';
  return damson::library_version() == std::string_view{DAMSON_VERSION_STRING} ? 0 : 1;
}
