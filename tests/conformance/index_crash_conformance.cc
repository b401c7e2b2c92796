// What an index contains when it is opened after it was closed or its process was killed.

#include <signal.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/plugin/disk_index.h"
#include "tests/conformance/disk_index_conformance.h"
#include "tests/conformance/tested_index.h"
#include "tests/conformance/trying_keys.h"

namespace rumcask {
namespace {

constexpr int kKeys = 100;

// Batch number `batch`, counted from 1: changes every key, adds a key, removes a key that an
// earlier batch added, and notes its number.
BytesMap ChangesOf(int batch) {
  BytesMap changes;
  for (int i = 0; i < kKeys; ++i) changes[absl::StrCat("key", i)] = absl::StrCat(batch, " ", i);
  changes[absl::StrCat("only", batch)] = "x";
  if (batch > 3) changes[absl::StrCat("only", batch - 3)] = "";
  return changes;
}

BytesMap EntriesAfter(int batch) {
  BytesMap entries;
  for (int b = std::max(1, batch - 3); b <= batch; ++b) {
    for (const auto& [key, value] : ChangesOf(b)) {
      if (value.empty()) {
        entries.erase(key);
      } else {
        entries[key] = value;
      }
    }
  }
  return entries;
}

void ApplyBatch(DiskIndex* index, int batch) {
  TestBatch changes(ChangesOf(batch), {{"batch", absl::StrCat(batch)}});
  ASSERT_TRUE(index->Commit(&changes).ok());
}

// Finds the number of the last batch in the index. The index must have all earlier batches and
// nothing of a later one.
void FindLastBatch(const DiskIndex& index, int* last) {
  IndexContents contents;
  ASSERT_TRUE(ReadAll(index, {"batch"}, &contents).ok());
  *last = 0;
  if (contents.notes.empty()) {
    EXPECT_EQ(contents.entries.size(), 0);
    return;
  }
  ASSERT_TRUE(absl::SimpleAtoi(contents.notes["batch"], last));
  EXPECT_EQ(contents.entries, EntriesAfter(*last));
}

// Applies batches without end, flushes the one numbered `flushed`, and kills the process some
// milliseconds later.
void ApplyUntilKilled(const KeystoreFactory& factory, const std::string& path, int flushed,
                      int milliseconds) {
  std::filesystem::remove_all(path);
  std::filesystem::create_directories(path);
  auto index = OpenIndex(factory, path);
  if (!index.ok()) return;
  for (int batch = 1;; ++batch) {
    ApplyBatch(index->get(), batch);
    if (batch != flushed) continue;
    if (!(*index)->Flush().ok()) return;
    std::thread([milliseconds] {
      std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
      ::raise(SIGKILL);
    }).detach();
  }
}

TEST_P(DiskIndexConformance, WhatWasFlushedIsThereAgain) {
  TestedIndex tested(factory(), path());
  const std::vector<std::string> keys = TryingKeys(1000, factory().traits.max_key_bytes);
  std::mt19937_64 random(5);
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(tested.ApplyAtRandom(keys, 500, &random), "");
    ASSERT_EQ(tested.FlushAndReopen(), "");
    ASSERT_EQ(tested.Compare(), "");
  }
}

TEST_P(DiskIndexConformance, WhatWasNotFlushedIsThereInWholeBatches) {
  for (const int batches : {1, 10, 60}) {
    std::filesystem::remove_all(path());
    std::filesystem::create_directories(path());
    auto index = OpenIndex(factory(), path());
    ASSERT_TRUE(index.ok()) << index.status();
    for (int batch = 1; batch <= batches; ++batch) ApplyBatch(index->get(), batch);
    index->reset();
    index = OpenIndex(factory(), path());
    ASSERT_TRUE(index.ok()) << index.status();
    int last = 0;
    ASSERT_NO_FATAL_FAILURE(FindLastBatch(**index, &last));
    EXPECT_LE(last, batches);
  }
}

TEST_P(DiskIndexConformance, ADurableNoteIsThereAgain) {
  auto index = OpenIndex(factory(), path());
  ASSERT_TRUE(index.ok()) << index.status();
  std::string durable;
  int batch = 0;
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 20; ++i) {
      ApplyBatch(index->get(), ++batch);
      std::string now;
      ASSERT_TRUE((*index)->GetNote("batch", /*durable=*/false, &now).ok());
      EXPECT_EQ(now, absl::StrCat(batch));
      const absl::Status status = (*index)->GetNote("batch", /*durable=*/true, &durable);
      if (!status.ok()) {
        ASSERT_EQ(status, absl::Status(absl::StatusCode::kNotFound, ""));
        durable = "0";
      }
    }
    if (round % 2 == 0) {
      ASSERT_TRUE((*index)->Flush().ok());
      ASSERT_TRUE((*index)->GetNote("batch", /*durable=*/true, &durable).ok());
      EXPECT_EQ(durable, absl::StrCat(batch));
    }
    index->reset();
    index = OpenIndex(factory(), path());
    ASSERT_TRUE(index.ok()) << index.status();
    int promised = 0;
    ASSERT_TRUE(absl::SimpleAtoi(durable, &promised));
    int last = 0;
    ASSERT_NO_FATAL_FAILURE(FindLastBatch(**index, &last));
    EXPECT_GE(last, promised);
    EXPECT_LE(last, batch);
    batch = last;
  }
}

TEST_P(DiskIndexConformance, AKillLeavesWhatWasFlushedAndWholeBatches) {
  // The child process runs this program anew instead of being a fork, which would lack this
  // process's threads.
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const struct {
    int flushed;
    int milliseconds;
  } kills[] = {{1, 0}, {3, 5}, {17, 30}, {40, 120}};
  // The child also runs the statements before the one that kills it.
  const auto directory_of = [&](int flushed) { return absl::StrCat(path(), ".killed", flushed); };
  for (const auto& kill : kills) {
    EXPECT_EXIT(
        ApplyUntilKilled(factory(), directory_of(kill.flushed), kill.flushed, kill.milliseconds),
        testing::KilledBySignal(SIGKILL), "");
  }
  for (const auto& kill : kills) {
    const std::string directory = directory_of(kill.flushed);
    for (const bool read_only : {true, false}) {
      const auto index = OpenIndex(factory(), directory, read_only);
      ASSERT_TRUE(index.ok()) << index.status();
      int last = 0;
      ASSERT_NO_FATAL_FAILURE(FindLastBatch(**index, &last));
      EXPECT_GE(last, kill.flushed);
    }
    std::filesystem::remove_all(directory);
  }
}

}  // namespace
}  // namespace rumcask
