// However fast somebody writes, the log takes no more space than its bound.

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "gtest/gtest.h"

#include "core/check/verify.h"
#include "core/db.h"
#include "core/listener.h"
#include "core/stats.h"
#include "keystores/by_name.h"

namespace rumcask {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kSegmentBytes = 65536;
constexpr int kWriters = 2;

struct Load {
  const char* name;
  uint64_t keys;
  size_t key_bytes;
  size_t value_bytes;
};
constexpr Load kLoads[] = {
    {"Values", 40000, 16, 100}, {"EmptyValues", 60000, 16, 0}, {"LongKeys", 6000, 500, 10}};

struct Case {
  std::string keystore;
  Load load;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.keystore << c.load.name; }

// Were the bound not kept because of errors, nothing would be learned.
class NoErrors : public Listener {
 public:
  void OnCompactionError(const absl::Status& status) override { ADD_FAILURE() << status; }
  void OnDamage(const absl::Status& status) override { ADD_FAILURE() << status; }
};

class BoundTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    // In memory where that is possible, as each job syncs.
    const fs::path parent = fs::exists("/dev/shm") ? "/dev/shm" : testing::TempDir();
    std::string name = (parent / "bound.XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    Options& options = options_;
    options.keystore = *KeystoreByName(GetParam().keystore);
    options.keystore->buffer_bytes = uint64_t{1} << 18;
    options.create_if_missing = true;
    options.listener = std::make_shared<NoErrors>();
    options.segment_bytes = kSegmentBytes;
    options.replay_bytes = uint64_t{1} << 20;
    amplification_ = options.keystore->traits.max_space_amplification;
    auto db = DB::Open((directory_ / "db").string(), options);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }
  void TearDown() override {
    db_.reset();
    fs::remove_all(directory_);
  }

  std::string Key(uint64_t i) const {
    return absl::StrFormat("%0*d", GetParam().load.key_bytes, i);
  }

  // What the segments' files take on the device.
  double Device() const {
    double bytes = 0;
    for (const fs::directory_entry& entry : fs::directory_iterator(directory_ / "db")) {
      struct stat info = {};
      if (entry.path().extension() == ".seg" && ::stat(entry.path().c_str(), &info) == 0) {
        bytes += 512.0 * static_cast<double>(info.st_blocks);
      }
    }
    return bytes;
  }

  // Compares what the log takes with the bound.
  void Look() {
    const uint64_t before = db_->GetStats().last_version;
    const double device = Device();
    const Stats stats = db_->GetStats();
    const uint64_t after = db_->GetStats().last_version;
    double counted = 0;
    double live = 0;
    for (const SegmentStats& segment : stats.segments) {
      const auto file = static_cast<double>(segment.file_bytes);
      if (segment.log_bytes > 0) {
        const auto own = static_cast<double>(std::min(segment.live_bytes, segment.log_bytes));
        live += segment.sealed ? own * file / static_cast<double>(segment.log_bytes) : own;
      }
      if (segment.sealed && segment.state == SegmentStats::State::kIdle) counted += file;
    }
    constexpr double kSegment = kSegmentBytes;
    const double worked_on = std::max(8 * kSegment, live / 16);
    // What was written while this thread looked may count as dead already and not as live yet.
    const Load& load = GetParam().load;
    const double record = 48.0 + static_cast<double>(load.key_bytes + load.value_bytes);
    const double meanwhile = static_cast<double>(after - before) * record;
    const double bound = amplification_ * (live + meanwhile) + 4 * kSegment;
    most_ = std::max(most_, counted - amplification_ * live);
    if (counted > bound) {
      ++violations_;
      std::printf("%.0f bytes of segments with %.0f live; the bound is %.0f\n", counted, live,
                  bound);
    }
    // What is written, what waits to be sealed, the prepared one, and what a job works on.
    const double other = static_cast<double>(stats.waiting_bytes) + 4 * kSegment + worked_on;
    if (device > bound + other) {
      ++violations_;
      std::printf("%.0f bytes on the device with %.0f live; the bound is %.0f\n", device, live,
                  bound + other);
    }
  }

  void Write(const std::function<absl::Status(std::mt19937_64*)>& write, uint64_t count) {
    std::atomic<int> writing{kWriters};
    std::vector<std::thread> writers;
    for (int i = 0; i < kWriters; ++i) {
      writers.emplace_back([&, i] {
        std::mt19937_64 random(i + 1);
        for (uint64_t j = 0; j < count / kWriters; ++j) {
          const absl::Status status = write(&random);
          if (!status.ok()) {
            ADD_FAILURE() << status;
            break;
          }
        }
        --writing;
      });
    }
    while (writing > 0) {
      Look();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    for (std::thread& writer : writers) writer.join();
    Look();
  }

  fs::path directory_;
  Options options_;
  std::unique_ptr<DB> db_;
  double amplification_ = 0;
  double most_ = 0;
  int violations_ = 0;
};

TEST_P(BoundTest, IsKept) {
  const Load load = GetParam().load;
  const std::string value(load.value_bytes, 'v');
  std::atomic<uint64_t> next{0};
  Write([&](std::mt19937_64*) { return db_->Put(Key(next++), value); }, load.keys);
  Write([&](std::mt19937_64* random) { return db_->Put(Key((*random)() % load.keys), value); },
        5 * load.keys);
  EXPECT_EQ(violations_, 0);
  const Stats stats = db_->GetStats();
  std::printf("%s, %s: at most %.1f segments above %.2f times what is live; %lu jobs, %lu waits\n",
              GetParam().keystore.c_str(), load.name, most_ / kSegmentBytes, amplification_,
              static_cast<unsigned long>(stats.compaction.jobs),
              static_cast<unsigned long>(stats.compaction.writer_waits));
  EXPECT_GT(stats.compaction.jobs, 0u);
  std::string found;
  for (uint64_t i = 0; i < load.keys; ++i) {
    const absl::Status status = db_->Get(Key(i), &found);
    ASSERT_TRUE(status.ok()) << Key(i) << ": " << status;
    ASSERT_EQ(found, value);
  }
  // Then everything is deleted.
  next = 0;
  Write([&](std::mt19937_64*) { return db_->Delete(Key(next++)); }, load.keys);
  EXPECT_EQ(violations_, 0);
  // Everything is still there, and where it belongs.
  const auto report = db_->Verify();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->clean()) << report->damages[0].file << " " << report->damages[0].cause;
  // Also for the next opening.
  ASSERT_TRUE(db_->Close().ok());
  auto again = DB::Open((directory_ / "db").string(), options_);
  ASSERT_TRUE(again.ok()) << again.status();
  db_ = *std::move(again);
  auto it = db_->NewIterator();
  ASSERT_TRUE(it.ok()) << it.status();
  EXPECT_FALSE((*it)->Valid()) << "a deleted key has come back";
  EXPECT_TRUE((*it)->status().ok()) << (*it)->status();
  EXPECT_TRUE(db_->Put("key", "value").ok());
}

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const std::string& keystore : KeystoreNames()) {
    for (const Load& load : kLoads) cases.push_back({keystore, load});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(All, BoundTest, testing::ValuesIn(Cases()), [](const auto& param) {
  return param.param.keystore + param.param.load.name;
});

}  // namespace
}  // namespace rumcask
