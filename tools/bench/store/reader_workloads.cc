#include <time.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tools/bench/store/fatal.h"
#include "tools/bench/store/stopwatch.h"
#include "tools/bench/store/workloads.h"

namespace rumcask::bench {
namespace {

constexpr uint64_t kWritesPerSecond = 200000;

// Nanoseconds that a thread takes for a call of `get`(value) while `threads` threads do the same,
// each with its own seed.
template <typename MakeReader>
double NanosecondsWith(int threads, uint64_t operations, MakeReader make_reader) {
  std::atomic<int> ready{0};
  std::vector<double> figures(static_cast<size_t>(threads));
  const auto run = [&](int thread) {
    auto read = make_reader(static_cast<uint64_t>(thread));
    ready.fetch_add(1);
    while (ready.load() < threads) std::this_thread::yield();
    const Stopwatch watch;
    for (uint64_t i = 0; i < operations; ++i) read();
    figures[static_cast<size_t>(thread)] = watch.NanosecondsEach(operations);
  };
  std::vector<std::thread> others;
  for (int thread = 1; thread < threads; ++thread) others.emplace_back(run, thread);
  run(0);
  for (std::thread& other : others) other.join();
  return *std::max_element(figures.begin(), figures.end());
}

auto StoreReader(LoadedStores* stores, uint64_t seed) {
  return [store = stores->store(), random = RandomKeys(stores->keys(), seed),
          value = std::string()]() mutable {
    if (!store->Get(Key(random.Next()).view(), &value).ok()) Die("a key is missing");
  };
}

auto TableReader(LoadedStores* stores, uint64_t seed) {
  return [table = stores->table(), random = RandomKeys(stores->keys(), seed),
          value = std::string()]() mutable {
    if (!table->Get(Key(random.Next()).view(), &value)) Die("a key is missing");
  };
}

// How much longer a get takes with two threads than with one.
template <typename MakeReader>
double CostOfCompany(uint64_t operations, MakeReader make_reader) {
  const double alone = NanosecondsWith(1, operations, make_reader);
  return NanosecondsWith(2, operations, make_reader) / alone;
}

double StoreWithTwoReaders(LoadedStores* stores, uint64_t seed) {
  (void)stores->store();
  return CostOfCompany(stores->round_operations(),
                       [=](uint64_t thread) { return StoreReader(stores, seed + thread); });
}

double TableWithTwoReaders(LoadedStores* stores, uint64_t seed) {
  (void)stores->table();
  return CostOfCompany(stores->round_operations(),
                       [=](uint64_t thread) { return TableReader(stores, seed + thread); });
}

double StoreAlone(LoadedStores* stores, uint64_t seed) {
  (void)stores->store();
  return NanosecondsWith(1, stores->round_operations(),
                         [=](uint64_t) { return StoreReader(stores, seed); });
}

// Puts random existing keys at a rate of kWritesPerSecond until it is told to stop.
class PacedWriter {
 public:
  PacedWriter(LoadedStores* stores, uint64_t seed)
      : thread_([this, stores, seed] { Run(stores, seed); }) {}

  // Ends the program if the writer fell behind by more than a tenth, because the round has no
  // meaning then.
  void Stop() {
    stop_.store(true);
    thread_.join();
    const double due = watch_.Seconds() * static_cast<double>(kWritesPerSecond);
    if (static_cast<double>(written_) < 0.9 * due) {
      std::fprintf(stderr, "warning: the writer wrote %.0f%% of what it should have\n",
                   static_cast<double>(written_) / due * 100);
    }
  }

 private:
  void Run(LoadedStores* stores, uint64_t seed) {
    // Bursts are short enough that a reader hardly ever sees a whole one, and long enough that
    // waking up is not part of the load.
    constexpr uint64_t kBurst = 20;
    DB* const store = stores->store();
    RandomKeys random(stores->keys(), seed);
    while (!stop_.load(std::memory_order_relaxed)) {
      const auto due =
          static_cast<uint64_t>(watch_.Seconds() * static_cast<double>(kWritesPerSecond));
      if (written_ >= due) {
        const timespec pause = {0, 1000000000L / static_cast<long>(kWritesPerSecond / kBurst)};
        nanosleep(&pause, nullptr);
        continue;
      }
      for (; written_ < due; ++written_) {
        const uint64_t number = random.Next();
        if (!store->Put(Key(number).view(), stores->values().Of(number)).ok()) Die("a put failed");
      }
    }
  }

  const Stopwatch watch_;
  std::atomic<bool> stop_{false};
  uint64_t written_ = 0;
  std::thread thread_;
};

double StoreBesideWriter(LoadedStores* stores, uint64_t seed) {
  DB* const store = stores->store();
  PacedWriter writer(stores, seed + 1000);
  const double figure = NanosecondsWith(1, stores->round_operations(),
                                        [=](uint64_t) { return StoreReader(stores, seed); });
  writer.Stop();
  OrDie(store->Sync());
  return figure;
}

}  // namespace

void AddReaderComparisons(LoadedStores* stores, Comparisons* to) {
  const auto rounds = [stores](double (*run)(LoadedStores*, uint64_t)) {
    return [stores, run, seed = uint64_t{200}]() mutable { return run(stores, seed += 2); };
  };
  {
    Comparison c;
    c.name = "get_2_threads";
    c.store_text = "DB::Get by each of two threads, beside the same by one thread";
    c.yardstick_text =
        "lookup, comparison, checksum and copy by each of two threads, beside one thread";
    c.unit = "x alone";
    c.min_ratio = 0.95;
    c.store = rounds(StoreWithTwoReaders);
    c.yardstick = rounds(TableWithTwoReaders);
    to->push_back(std::move(c));
  }
  {
    Comparison c;
    c.name = "get_beside_writer";
    c.store_text = "DB::Get while another thread overwrites 200,000 random keys a second";
    c.yardstick_text = "the store's own DB::Get while nobody writes";
    c.min_ratio = 0.9;
    c.store = rounds(StoreBesideWriter);
    c.yardstick = rounds(StoreAlone);
    to->push_back(std::move(c));
  }
}

}  // namespace rumcask::bench
