// Kills `rumcask load` of a large file many times, at moments spread over the whole load.
//
// After each kill the database must be undamaged and hold exactly the first records of the file, in
// whole batches, and no fewer than after the earlier loads. Then the load continues with --skip, or
// a new one begins. The contents of the database, not clocks, decide whether a kill came during the
// load. Kills that came too early or too late do not count and are repeated.
//
// RUMCASK_FULL=1 kills twenty times as often.

#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <system_error>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gtest/gtest.h"

#include "core/check/verify.h"
#include "core/damage.h"
#include "core/db.h"
#include "keystores/hash/open.h"
#include "tests/kill/child.h"
#include "tests/kill/scratch_directory.h"
#include "tests/workloads/mix.h"

namespace rumcask {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr uint64_t kRecords = 420'000;
constexpr size_t kValueBytes = 1000;
constexpr uint64_t kFileBytes = uint64_t{400} * 1000 * 1000;  // the least size of the file

std::string Key(uint64_t i) { return absl::StrFormat("%08d", i); }
std::string Value(uint64_t i) { return Letters(i << 32, kValueBytes); }

void Nap() { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class LoadKillTest : public testing::Test {
 protected:
  LoadKillTest() : file_(scratch_.Path("records")), db_(scratch_.Path("db")) {
    std::ofstream file(file_, std::ios::binary);
    for (uint64_t i = 0; i < kRecords; ++i) file << Key(i) << ';' << Value(i) << '\n';
  }

  std::unique_ptr<Child> Load(uint64_t skip) const {
    return std::make_unique<Child>(
        std::vector<std::string>{"tools/rumcask", "load", db_, file_, "--separator", ";", "--skip",
                                 absl::StrCat(skip)},
        scratch_.Path("log"));
  }

  std::string Log() const { return ReadFile(scratch_.Path("log")); }

  // When MANIFEST was last written; nullopt if there is none.
  std::optional<fs::file_time_type> ManifestTime() const {
    std::error_code error;
    const fs::file_time_type time = fs::last_write_time(db_ + "/MANIFEST", error);
    return error ? std::nullopt : std::optional(time);
  }

  // Waits until a load begins to write or has ended. It has begun once there is a segment and a
  // MANIFEST newer than `before`.
  void AwaitWriting(std::optional<fs::file_time_type> before, Child* load) const {
    while (!load->Ended()) {
      const std::optional<fs::file_time_type> now = ManifestTime();
      if (now.has_value() && now != before && fs::exists(db_ + "/0000000000000001.seg")) return;
      Nap();
    }
  }

  // Counts the records in the database. Fails unless they are the first ones of the file and there
  // is no damage.
  void Count(bool read_only, ReadMode read_mode, uint64_t* count) const;

  const ScratchDirectory scratch_;
  const std::string file_;
  const std::string db_;
};

void LoadKillTest::Count(bool read_only, ReadMode read_mode, uint64_t* count) const {
  *count = 0;
  const absl::StatusOr<VerifyReport> report = VerifyFiles(db_);
  // The load was killed before there was a database. It may have left other files; the next load
  // shows that they do no harm.
  if (absl::IsNotFound(report.status())) return;
  ASSERT_TRUE(report.ok()) << report.status();
  for (const Damage& damage : report->damages) ADD_FAILURE() << DamageStatus(damage);

  Options options;
  options.read_mode = read_mode;
  auto db = read_only ? OpenReadOnly(db_, options) : Open(db_, options);
  ASSERT_TRUE(db.ok()) << db.status();
  const uint64_t keys = (*db)->KeyCount();
  ASSERT_LE(keys, kRecords);
  EXPECT_EQ(report->keys, keys);
  std::string value;
  for (uint64_t i = 0; i < keys; ++i) {
    const absl::Status status = (*db)->Get(Key(i), &value);
    ASSERT_TRUE(status.ok()) << "record " << i << " of " << keys << ": " << status;
    ASSERT_EQ(value, Value(i)) << "record " << i << " of " << keys;
  }
  const absl::Status status = (*db)->Close();
  ASSERT_TRUE(status.ok()) << status;
  *count = keys;
}

TEST_F(LoadKillTest, ThePrefixThatWasLoadedIsThere) {
  const bool full = std::getenv("RUMCASK_FULL") != nullptr;
  const int kills_wanted = full ? 400 : 20;
  const int landed_wanted = full ? 300 : 15;
  const int most_loads = 6 * kills_wanted;
  ASSERT_GE(fs::file_size(file_), kFileBytes);

  // The time that a load takes on this machine. It only determines when the kills come.
  Clock::duration length;
  {
    const std::unique_ptr<Child> load = Load(0);
    AwaitWriting(std::nullopt, load.get());
    const auto begin = Clock::now();
    ASSERT_EQ(load->Wait(), 0) << Log();
    length = Clock::now() - begin;
    uint64_t count;
    Count(/*read_only=*/true, ReadMode::kMapped, &count);
    ASSERT_EQ(count, kRecords);
    fs::remove_all(db_);
  }

  std::mt19937_64 random(20210);
  int loads = 0, kills = 0, landed = 0, continued = 0, completed = 0;
  uint64_t held = 0;       // records in the database
  uint64_t batch_gcd = 0;  // greatest common divisor of the counts that killed loads added
  for (; kills < kills_wanted || landed < landed_wanted; ++loads) {
    ASSERT_LT(loads, most_loads) << kills << " kills, " << landed << " landed";
    SCOPED_TRACE(absl::StrCat("load ", loads, " from record ", held));
    const bool from_start = held == 0;
    const std::optional<fs::file_time_type> before = ManifestTime();
    const std::unique_ptr<Child> load = Load(held);
    // Most kills are aimed at the time of writing, some at the time before it.
    if (random() % 8 != 0) AwaitWriting(before, load.get());
    const auto begin = Clock::now();
    const uint64_t left = 1000 * (kRecords - held) / kRecords + 20;
    const auto moment = begin + length * (random() % left) / 1000;
    while (Clock::now() < moment && !load->Ended()) Nap();
    if (load->Ended() && from_start) length = Clock::now() - begin;
    load->Kill();
    const int status = load->Wait();
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    ASSERT_TRUE(killed || status == 0) << Log();

    uint64_t count;
    Count(random() % 2 == 0, random() % 2 == 0 ? ReadMode::kMapped : ReadMode::kPread, &count);
    if (HasFatalFailure() || HasNonfatalFailure()) return;
    ASSERT_GE(count, held) << "records of an earlier load are gone";
    if (killed) {
      ++kills;
      if (count > held && count < kRecords) {
        ++landed;
        if (!from_start) ++continued;
        batch_gcd = std::gcd(batch_gcd, count - held);
      }
    } else {
      ++completed;
      ASSERT_EQ(count, kRecords) << "the load said that it had succeeded";
    }
    held = count;
    if (held == kRecords || random() % 3 == 0) {
      fs::remove_all(db_);
      held = 0;
    }
  }
  std::printf(
      "%d loads of %.0f MB, %.2f s each, %d killed, %d of them between the first and the last "
      "record "
      "(%d while going on with --skip), %d completed; batches of %llu records\n",
      loads, static_cast<double>(fs::file_size(file_)) / 1e6,
      std::chrono::duration<double>(length).count(), kills, landed, continued, completed,
      static_cast<unsigned long long>(batch_gcd));
  // All records have the same size, so all batches hold the same number. A single torn batch would
  // lower the divisor.
  EXPECT_GT(batch_gcd, 1u);
}

}  // namespace
}  // namespace rumcask
