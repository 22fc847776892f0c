// append_until_killed DATABASE FIRST: appends batches FIRST + 1, FIRST + 2, ... of five events "N-0" to "N-4" for ever,
// indexes now and then, and prints the number of each batch once it is acknowledged; first of all 0. Killed by
// shop_fault_test.cpp.
#include <unistd.h>

#include <cstdlib>

#include "store/shop_store.h"
#include "store/shop_support.h"

int main(int count, char** arguments) {
  using namespace fewshop;
  if (count != 3) return 2;
  const auto store = ShopStore::open(arguments[1], {});
  const auto say = [](int number) {
    const std::string line = std::to_string(number) + "\n";
    return ::write(1, line.data(), line.size()) > 0;
  };
  int n = std::atoi(arguments[2]);
  for (bool heard = say(0); heard;) {
    ++n;
    std::vector<Event> events;
    for (int i = 0; i < 5; ++i)
      events.push_back(
          testing::event(fmt::format("{}-{}", n, i), n, fmt::format("u{}", i), fmt::format("i{}", n % 50)));
    store->write([&](ShopStore::Writer& writer) {
      writer.append(events);
      if (n % 13 == 0) writer.put_item({fmt::format("i{}", n % 50), false, {"a"}, 0, {{"n", n}}, ""});
      if (n % 17 == 0) writer.join(fmt::format("c{}", n), "u1");
    });
    heard = say(n);
    if (n % 7 == 0) store->index(50, 1'000'000'000);
  }
  return 1;
}
