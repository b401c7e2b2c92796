// Readers beside Apply.

#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/plugin/disk_index.h"
#include "tests/conformance/disk_index_conformance.h"
#include "tests/conformance/tested_index.h"

namespace rumcask {
namespace {

constexpr int kKeys = 200;

// Round r sets the value of every key, and the note, to r.
BytesMap Round(int round) {
  BytesMap changes;
  for (int i = 0; i < kKeys; ++i) changes[absl::StrCat("key", i)] = absl::StrCat(round);
  return changes;
}

int ToRound(const std::string& value) {
  int round = -1;
  return absl::SimpleAtoi(value, &round) ? round : -1;
}

// Reads once in every way. What it finds must be no older than `oldest`. Returns "" or what is
// wrong.
std::string ReadOnce(const DiskIndex& index, int i, int oldest) {
  std::string value;
  absl::Status status = index.Get(absl::StrCat("key", i % kKeys), &value);
  if (!status.ok()) return absl::StrCat("Get: ", status.ToString());
  if (ToRound(value) < oldest) return absl::StrCat("Get: ", value, " after ", oldest);

  KeyRange range;
  range.reverse = i % 2 == 0;
  std::vector<std::pair<std::string, std::string>> rows;
  status = ScanRange(index, range, SIZE_MAX, &rows);
  if (!status.ok()) return absl::StrCat("Scan: ", status.ToString());
  if (rows.size() != kKeys) return absl::StrCat("Scan: ", rows.size(), " keys");
  for (const auto& [key, found] : rows) {
    if (found != rows[0].second) {
      return absl::StrCat("Scan: a part of a batch: ", found, " and ", rows[0].second);
    }
  }
  if (ToRound(rows[0].second) < oldest) {
    return absl::StrCat("Scan: ", rows[0].second, " after ", oldest);
  }

  // A note cannot be durable before it is visible.
  status = index.GetNote("round", /*durable=*/true, &value);
  if (!status.ok() && !absl::IsNotFound(status)) {
    return absl::StrCat("durable GetNote: ", status.ToString());
  }
  const int durable = status.ok() ? ToRound(value) : 0;
  status = index.GetNote("round", /*durable=*/false, &value);
  if (!status.ok()) return absl::StrCat("GetNote: ", status.ToString());
  if (ToRound(value) < oldest) return absl::StrCat("GetNote: ", value, " after ", oldest);
  if (ToRound(value) < durable) return absl::StrCat("GetNote: ", value, ", durable ", durable);
  if (index.MemoryBytes() == 0 || index.KeyCount() == 0) return "figures of 0";
  index.FileBytes();
  return "";
}

TEST_P(DiskIndexConformance, ReadersSeeWholeBatchesAndWhatWasApplied) {
  TestedIndex tested(factory(), path());
  ASSERT_EQ(tested.Apply(Round(0), {{"round", "0"}}), "");
  std::atomic<int> applied{0};
  std::atomic<bool> stop{false};
  constexpr int kThreads = 4;
  std::vector<std::string> wrong(kThreads);
  std::vector<std::thread> readers;
  for (int t = 0; t < kThreads; ++t) {
    readers.emplace_back([&, t] {
      for (int i = t; wrong[t].empty() && !stop.load(); ++i) {
        const int oldest = applied.load();
        wrong[t] = ReadOnce(tested.index(), i, oldest);
      }
    });
  }
  for (int round = 1; round <= 200; ++round) {
    ASSERT_EQ(tested.Apply(Round(round), {{"round", absl::StrCat(round)}}), "");
    applied.store(round);
    if (round % 50 == 0) {
      ASSERT_TRUE(tested.index().Flush().ok());
    }
  }
  stop.store(true);
  for (std::thread& reader : readers) reader.join();
  for (const std::string& what : wrong) EXPECT_EQ(what, "");
  EXPECT_EQ(tested.Compare(), "");
}

TEST_P(DiskIndexConformance, AnyNumberOfThreadsRead) {
  TestedIndex tested(factory(), path());
  ASSERT_EQ(tested.Apply(Round(0), {{"round", "0"}}), "");
  // Each thread has read, and some are reading, when the last one comes.
  constexpr int kThreads = 300;
  std::atomic<int> have_read{0};
  std::vector<std::string> wrong(kThreads);
  std::vector<std::thread> readers;
  for (int t = 0; t < kThreads; ++t) {
    readers.emplace_back([&, t] {
      wrong[t] = ReadOnce(tested.index(), t, 0);
      have_read.fetch_add(1);
      while (have_read.load() < kThreads) std::this_thread::yield();
      for (int i = 0; i < 5 && wrong[t].empty(); ++i) wrong[t] = ReadOnce(tested.index(), i, 0);
    });
  }
  for (std::thread& reader : readers) reader.join();
  for (const std::string& what : wrong) EXPECT_EQ(what, "");
}

}  // namespace
}  // namespace rumcask
