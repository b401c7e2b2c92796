#include "tools/bench/store/fatal.h"
#include "tools/bench/store/stopwatch.h"
#include "tools/bench/store/workloads.h"

namespace rumcask::bench {
namespace {

// What a round of puts leaves to be written back must not disturb the next round.
void Settle(DB* store) { OrDie(store->Sync()); }

double FillStore(LoadedStores* stores) {
  DB* const store = stores->EmptyStore();
  const Stopwatch watch;
  stores->PutAll(store);
  const double figure = watch.NanosecondsEach(stores->keys());
  Settle(store);
  return figure;
}

double FillTable(LoadedStores* stores) {
  BareTable* const table = stores->EmptyTable();
  const Stopwatch watch;
  stores->PutAll(table);
  return watch.NanosecondsEach(stores->keys());
}

double OverwriteStore(LoadedStores* stores, uint64_t seed) {
  DB* const store = stores->store();
  RandomKeys random(stores->keys(), seed);
  const uint64_t operations = stores->round_operations();
  const Stopwatch watch;
  for (uint64_t i = 0; i < operations; ++i) {
    const uint64_t number = random.Next();
    if (!store->Put(Key(number).view(), stores->values().Of(number)).ok()) Die("a put failed");
  }
  const double figure = watch.NanosecondsEach(operations);
  Settle(store);
  return figure;
}

double OverwriteTable(LoadedStores* stores, uint64_t seed) {
  BareTable* const table = stores->table();
  RandomKeys random(stores->keys(), seed);
  const uint64_t operations = stores->round_operations();
  const Stopwatch watch;
  for (uint64_t i = 0; i < operations; ++i) {
    const uint64_t number = random.Next();
    table->Put(Key(number).view(), stores->values().Of(number));
  }
  return watch.NanosecondsEach(operations);
}

constexpr char kYardstickText[] =
    "upsert of the digest into an absl::flat_hash_map, checksum and memcpy into a prefaulted "
    "mapping that no device writes back";

}  // namespace

void AddPutComparisons(LoadedStores* stores, Comparisons* to) {
  Comparison c;
  c.name = "put_fresh";
  c.store_text = "DB::Put of all keys into an empty database, unsynced";
  c.yardstick_text = kYardstickText;
  c.min_ratio = 0.6;
  c.store = [stores] { return FillStore(stores); };
  c.yardstick = [stores] { return FillTable(stores); };
  to->push_back(std::move(c));
}

void AddOverwriteComparison(LoadedStores* stores, Comparisons* to) {
  Comparison c;
  c.name = "put_overwrite";
  c.store_text = "DB::Put of random keys that are there, unsynced";
  c.yardstick_text = kYardstickText;
  c.min_ratio = 0.6;
  c.store = [stores, seed = uint64_t{100}]() mutable { return OverwriteStore(stores, ++seed); };
  c.yardstick = [stores, seed = uint64_t{100}]() mutable { return OverwriteTable(stores, ++seed); };
  to->push_back(std::move(c));
}

}  // namespace rumcask::bench
