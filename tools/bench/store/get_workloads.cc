#include <string>
#include <string_view>
#include <vector>

#include "tools/bench/store/fatal.h"
#include "tools/bench/store/stopwatch.h"
#include "tools/bench/store/workloads.h"

namespace rumcask::bench {
namespace {

constexpr size_t kGroup = 32;

double GetFromStore(LoadedStores* stores, uint64_t seed) {
  DB* const store = stores->store();
  RandomKeys random(stores->keys(), seed);
  const uint64_t operations = stores->round_operations();
  std::string value;
  const Stopwatch watch;
  for (uint64_t i = 0; i < operations; ++i) {
    if (!store->Get(Key(random.Next()).view(), &value).ok()) Die("a key is missing");
  }
  return watch.NanosecondsEach(operations);
}

double GetFromTable(LoadedStores* stores, uint64_t seed) {
  const BareTable* const table = stores->table();
  RandomKeys random(stores->keys(), seed);
  const uint64_t operations = stores->round_operations();
  std::string value;
  const Stopwatch watch;
  for (uint64_t i = 0; i < operations; ++i) {
    if (!table->Get(Key(random.Next()).view(), &value)) Die("a key is missing");
  }
  return watch.NanosecondsEach(operations);
}

double GetMissingFromStore(LoadedStores* stores, uint64_t seed) {
  DB* const store = stores->store();
  RandomKeys random(stores->keys(), seed);
  const uint64_t operations = stores->round_operations();
  std::string value;
  const Stopwatch watch;
  for (uint64_t i = 0; i < operations; ++i) {
    if (store->Get(Key(random.Next() + stores->keys()).view(), &value).ok()) Die("a key too many");
  }
  return watch.NanosecondsEach(operations);
}

double GetMissingFromTable(LoadedStores* stores, uint64_t seed) {
  const BareTable* const table = stores->table();
  RandomKeys random(stores->keys(), seed);
  const uint64_t operations = stores->round_operations();
  std::string value;
  const Stopwatch watch;
  for (uint64_t i = 0; i < operations; ++i) {
    if (table->Get(Key(random.Next() + stores->keys()).view(), &value)) Die("a key too many");
  }
  return watch.NanosecondsEach(operations);
}

double MultiGetFromStore(LoadedStores* stores, uint64_t seed) {
  DB* const store = stores->store();
  RandomKeys random(stores->keys(), seed);
  const uint64_t groups = stores->round_operations() / kGroup;
  std::vector<Key> keys(kGroup, Key(0));
  std::vector<std::string_view> views;
  for (const Key& key : keys) views.push_back(key.view());
  std::vector<std::string> values;
  std::vector<absl::Status> statuses;
  const Stopwatch watch;
  for (uint64_t i = 0; i < groups; ++i) {
    for (Key& key : keys) key = Key(random.Next());
    store->MultiGet(views, &values, &statuses);
    for (const absl::Status& status : statuses) {
      if (!status.ok()) Die("a key is missing");
    }
  }
  return watch.NanosecondsEach(groups * kGroup);
}

}  // namespace

void AddGetComparisons(LoadedStores* stores, Comparisons* to) {
  // Other keys in every round, the same ones for both sides.
  const auto rounds = [stores](double (*run)(LoadedStores*, uint64_t)) {
    return [stores, run, seed = uint64_t{0}]() mutable { return run(stores, ++seed); };
  };
  {
    Comparison c;
    c.name = "get";
    c.store_text = "DB::Get of random keys into one std::string, 16-byte keys, 100-byte values";
    c.yardstick_text =
        "digest lookup in an absl::flat_hash_map, key comparison, checksum and copy from a mapping";
    c.min_ratio = 0.8;
    c.store = rounds(GetFromStore);
    c.yardstick = rounds(GetFromTable);
    to->push_back(std::move(c));
  }
  {
    Comparison c;
    c.name = "get_missing";
    c.store_text = "DB::Get of random keys that are not there";
    c.yardstick_text = "digest lookup in an absl::flat_hash_map";
    c.min_ratio = 0.8;
    c.store = rounds(GetMissingFromStore);
    c.yardstick = rounds(GetMissingFromTable);
    to->push_back(std::move(c));
  }
  {
    Comparison c;
    c.name = "multi_get_32";
    c.store_text = "DB::MultiGet of 32 random keys, per key";
    c.yardstick_text = "the store's own single DB::Get of the same keys";
    c.min_ratio = 2.2;
    c.store = rounds(MultiGetFromStore);
    c.yardstick = rounds(GetFromStore);
    to->push_back(std::move(c));
  }
}

}  // namespace rumcask::bench
