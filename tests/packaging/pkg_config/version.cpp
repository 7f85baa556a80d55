#include <iostream>
#include <string_view>

#include <damson/version.hpp>

int main() {
  std::cout << damson::library_version() << '\n';
  return damson::library_version() == std::string_view{DAMSON_VERSION_STRING} ? 0 : 1;
}
