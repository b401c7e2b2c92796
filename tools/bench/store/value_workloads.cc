#include <memory>
#include <string>

#include "absl/strings/str_cat.h"

#include "tools/bench/store/fatal.h"
#include "tools/bench/store/raw_log.h"
#include "tools/bench/store/stopwatch.h"
#include "tools/bench/store/workloads.h"

namespace rumcask::bench {
namespace {

constexpr uint64_t kRoundBytes = uint64_t{256} << 20;

// Values of one size. Every round writes a new database and a new file.
class ValueStores {
 public:
  ValueStores(std::string directory, size_t value_bytes, bool durable)
      : directory_(std::move(directory)),
        values_(value_bytes),
        operations_(kRoundBytes / value_bytes),
        durable_(durable) {}

  double PutToStore() {
    const std::string path = directory_ + "/values";
    RemoveDatabase(path);
    std::unique_ptr<DB> store = OpenDatabase(path);
    // The first write after opening has extra work, which is not part of the measurement.
    OrDie(store->Put(Key(operations_).view(), values_.Of(0)));
    OrDie(store->Sync());
    const Stopwatch watch;
    for (uint64_t i = 0; i < operations_; ++i) OrDie(store->Put(Key(i).view(), values_.Of(i)));
    if (durable_) OrDie(store->Sync());
    const double figure = watch.NanosecondsEach(operations_);
    OrDie(store->Sync());
    store.reset();
    RemoveDatabase(path);
    return figure;
  }

  double PutToFile() {
    RawLog log(directory_ + "/raw_values", RawLog::Append::kWrite);
    const Stopwatch watch;
    for (uint64_t i = 0; i < operations_; ++i) log.Put(Key(i).view(), values_.Of(i));
    if (durable_) log.Sync();
    const double figure = watch.NanosecondsEach(operations_);
    log.Sync();
    return figure;
  }

 private:
  const std::string directory_;
  const Values values_;
  const uint64_t operations_;
  const bool durable_;
};

}  // namespace

void AddValueComparisons(const std::string& directory, Comparisons* to) {
  for (const size_t kibibytes : {size_t{4}, size_t{64}}) {
    for (const bool durable : {false, true}) {
      auto stores = std::make_shared<ValueStores>(directory, kibibytes << 10, durable);
      Comparison c;
      c.name = absl::StrCat("put_", kibibytes, "k", durable ? "_durable" : "");
      c.store_text = absl::StrCat("DB::Put of values of ", kibibytes, " KiB, 256 MiB in all",
                                  durable ? ", then Sync" : ", unsynced");
      c.yardstick_text = absl::StrCat("checksum and pwritev at the end of one file",
                                      durable ? ", then fdatasync" : "");
      c.min_ratio = 0.9;
      c.store = [stores] { return stores->PutToStore(); };
      c.yardstick = [stores] { return stores->PutToFile(); };
      to->push_back(std::move(c));
    }
  }
}

}  // namespace rumcask::bench
