#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tools/bench/store/fatal.h"
#include "tools/bench/store/raw_log.h"
#include "tools/bench/store/stopwatch.h"
#include "tools/bench/store/workloads.h"

namespace rumcask::bench {
namespace {

constexpr uint64_t kOperations = 200;
constexpr int kWaiters = 16;

// A small store and a small log that stay open for all rounds.
class SyncedStores {
 public:
  explicit SyncedStores(std::string directory)
      : directory_(std::move(directory)), values_(LoadedStores::kValueBytes) {}

  ~SyncedStores() {
    store_.reset();
    RemoveDatabase(path());
  }

  double PutToStore(int threads) {
    if (store_ == nullptr) {
      RemoveDatabase(path());
      store_ = OpenDatabase(path());
      PutSynced(1, 1);
    }
    const Stopwatch watch;
    std::vector<std::thread> others;
    for (int i = 1; i < threads; ++i) {
      others.emplace_back([this, i] { PutSynced(static_cast<uint64_t>(i) << 32, kOperations); });
    }
    PutSynced(0, kOperations);
    for (std::thread& other : others) other.join();
    return watch.NanosecondsEach(kOperations * static_cast<uint64_t>(threads)) / 1000;
  }

  double PutToLog() {
    if (log_ == nullptr) {
      log_ = std::make_unique<RawLog>(directory_ + "/raw_log", RawLog::Append::kMapped);
      log_->Put(Key(0).view(), values_.Of(0));
      log_->Sync();
    }
    const Stopwatch watch;
    for (uint64_t i = 0; i < kOperations; ++i) {
      log_->Put(Key(i).view(), values_.Of(i));
      log_->Sync();
    }
    return watch.NanosecondsEach(kOperations) / 1000;
  }

 private:
  std::string path() const { return directory_ + "/synced"; }

  void PutSynced(uint64_t first, uint64_t operations) {
    WriteOptions synced;
    synced.sync = true;
    for (uint64_t i = 0; i < operations; ++i) {
      OrDie(store_->Put(Key(first + i).view(), values_.Of(i), synced));
    }
  }

  const std::string directory_;
  const Values values_;
  std::unique_ptr<DB> store_;
  std::unique_ptr<RawLog> log_;
};

constexpr char kYardstickText[] =
    "one thread: checksum, memcpy into a mapping of blocks that exist, fdatasync";

}  // namespace

void AddSyncComparisons(const std::string& directory, Comparisons* to) {
  auto stores = std::make_shared<SyncedStores>(directory);
  {
    Comparison c;
    c.name = "put_synced";
    c.store_text = "DB::Put with sync, one thread";
    c.yardstick_text = kYardstickText;
    c.unit = "us";
    c.min_ratio = 0.9;
    c.store = [stores] { return stores->PutToStore(1); };
    c.yardstick = [stores] { return stores->PutToLog(); };
    to->push_back(std::move(c));
  }
  {
    Comparison c;
    c.name = "put_synced_16_waiters";
    c.store_text = "DB::Put with sync by 16 threads, elapsed time per put";
    c.yardstick_text = kYardstickText;
    c.unit = "us";
    c.min_ratio = 8;
    c.store = [stores] { return stores->PutToStore(kWaiters); };
    c.yardstick = [stores] { return stores->PutToLog(); };
    to->push_back(std::move(c));
  }
}

}  // namespace rumcask::bench
