#include <cstdint>
#include <cstring>
#include <vector>

#include "tools/bench/store/stopwatch.h"
#include "tools/bench/store/workloads.h"

namespace rumcask::bench {
namespace {

double OpenStore(LoadedStores* stores) {
  return stores->ReopenStore() * 1e9 / static_cast<double>(stores->keys());
}

// Fills a table from keys that lie one after the other in memory, as in a key table.
double FillFromKeys(LoadedStores* stores) {
  std::vector<Key> keys;
  keys.reserve(stores->keys());
  for (uint64_t i = 0; i < stores->keys(); ++i) keys.emplace_back(i);
  BareTable* const table = stores->EmptyTable();
  const Stopwatch watch;
  for (uint64_t i = 0; i < stores->keys(); ++i) table->Index(keys[i].view(), i * 8);
  const double figure = watch.NanosecondsEach(stores->keys());
  // The places in it refer to nothing.
  table->Clear();
  return figure;
}

}  // namespace

void AddOpenComparison(LoadedStores* stores, Comparisons* to) {
  Comparison c;
  c.name = "open";
  c.store_text = "opening of a cleanly closed database whose files are in the page cache, per key";
  c.yardstick_text =
      "one thread: digest of keys in memory and insertion into an absl::flat_hash_map";
  // 8 million keys per second.
  c.max_figure = 125;
  c.store = [stores] { return OpenStore(stores); };
  c.yardstick = [stores] { return FillFromKeys(stores); };
  to->push_back(std::move(c));
}

}  // namespace rumcask::bench
