// What Apply does, and what reads return about it.

#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "tests/conformance/disk_index_conformance.h"
#include "tests/conformance/tested_index.h"
#include "tests/conformance/trying_keys.h"

namespace rumcask {
namespace {

TEST_P(DiskIndexConformance, ANewOneIsEmpty) {
  TestedIndex tested(factory(), path());
  EXPECT_EQ(tested.Compare(), "");
  std::string value;
  EXPECT_EQ(tested.index().Get("key", &value), absl::Status(absl::StatusCode::kNotFound, ""));
  EXPECT_TRUE(absl::IsNotFound(tested.index().GetNote("note", /*durable=*/true, &value)));
  EXPECT_EQ(tested.index().KeyCount(), 0);
}

TEST_P(DiskIndexConformance, AnyBytesAreAKeyAndAValue) {
  TestedIndex tested(factory(), path());
  std::mt19937_64 random(1);
  BytesMap changes;
  for (const std::string& key : TryingKeys(2000, factory().traits.max_key_bytes)) {
    changes[key] = TryingValue(&random);
  }
  ASSERT_EQ(tested.Apply(changes), "");
  ASSERT_EQ(tested.Compare(), "");
  std::string value;
  for (const std::string& key : TryingKeys(2500, factory().traits.max_key_bytes)) {
    if (changes.count(key) == 0) {
      ASSERT_EQ(tested.index().Get(key, &value), absl::Status(absl::StatusCode::kNotFound, ""));
    }
  }
  for (auto& [key, unused] : changes) changes[key] = "";
  ASSERT_EQ(tested.Apply(changes), "");
  EXPECT_EQ(tested.Compare(), "");
}

TEST_P(DiskIndexConformance, ManyBatchesAgreeWithAMap) {
  TestedIndex tested(factory(), path());
  const std::vector<std::string> keys = TryingKeys(1500, factory().traits.max_key_bytes);
  std::mt19937_64 random(2);
  for (int i = 0; i < 120; ++i) {
    ASSERT_EQ(tested.ApplyAtRandom(keys, i % 10 == 9 ? 1000 : 30, &random), "");
    if (i % 30 == 29) {
      ASSERT_EQ(tested.FlushAndReopen(), "");
    }
    if (i % 5 == 4) {
      ASSERT_EQ(tested.Compare(), "") << "after batch " << i;
    }
  }
}

TEST_P(DiskIndexConformance, ABatchMayBeLarge) {
  TestedIndex tested(factory(), path());
  for (const char* value : {"first", "second, which is longer"}) {
    BytesMap changes;
    for (int i = 0; i < 30000; ++i) changes[absl::StrCat("key", i * 7919 % 30000)] = value;
    ASSERT_EQ(tested.Apply(changes, {{"note", value}}), "");
    ASSERT_EQ(tested.Compare(), "");
  }
}

TEST_P(DiskIndexConformance, ABatchMayBeEmpty) {
  TestedIndex tested(factory(), path());
  ASSERT_EQ(tested.Apply({}), "");
  ASSERT_EQ(tested.Apply({}, {{"note", "1"}}), "");
  EXPECT_EQ(tested.Compare(), "");
  ASSERT_EQ(tested.Apply({}, {{"note", ""}, {"absent", ""}}), "");
  EXPECT_EQ(tested.Compare(), "");
}

TEST_P(DiskIndexConformance, WhatIsNotThereCanBeRemoved) {
  TestedIndex tested(factory(), path());
  ASSERT_EQ(tested.Apply({{"a", ""}, {"b", "1"}, {"c", ""}}), "");
  ASSERT_EQ(tested.Apply({{"a", ""}, {"b", ""}, {"c", ""}}), "");
  EXPECT_EQ(tested.Compare(), "");
}

TEST_P(DiskIndexConformance, EntriesAndNotesAreApart) {
  TestedIndex tested(factory(), path());
  ASSERT_EQ(tested.Apply({{"a", "entry"}, {"b", "entry"}}, {{"a", "note"}, {"c", "note"}}), "");
  EXPECT_EQ(tested.Compare(), "");
  ASSERT_EQ(tested.Apply({{"a", ""}}, {{"c", ""}}), "");
  EXPECT_EQ(tested.Compare(), "");
  std::string value;
  EXPECT_TRUE(absl::IsNotFound(tested.index().Get("c", &value)));
  EXPECT_TRUE(absl::IsNotFound(tested.index().GetNote("b", /*durable=*/false, &value)));
}

TEST_P(DiskIndexConformance, AcceptsIsToldWhatIsReplacedAndDecides) {
  TestedIndex tested(factory(), path());
  std::mt19937_64 random(3);
  const std::vector<std::string> keys = TryingKeys(1200, factory().traits.max_key_bytes);
  BytesMap before;
  for (size_t i = 0; i < keys.size(); i += 2) before[keys[i]] = TryingValue(&random);
  ASSERT_EQ(tested.Apply(before), "");

  // Removals and values; some of each are refused, and some of each concern keys that do not exist.
  BytesMap changes;
  for (size_t i = 0; i < keys.size(); ++i) {
    changes[keys[i]] = i % 3 == 0 ? "" : TryingValue(&random);
  }
  BytesMap told;
  BytesMap made;
  TestBatch batch(changes, {{"note", "with it"}});
  batch.Ask([&](std::string_view key, std::string_view was) {
    told[std::string(key)] = std::string(was);
    const bool accepted = std::hash<std::string_view>()(key) % 3 != 0;
    if (accepted) made[std::string(key)] = changes.find(key)->second;
    return accepted;
  });
  ASSERT_TRUE(tested.index().Commit(&batch).ok());
  EXPECT_EQ(batch.Violation(), "");
  for (const auto& [key, was] : told) {
    const auto it = before.find(key);
    ASSERT_EQ(was, it == before.end() ? "" : it->second);
  }
  ASSERT_GT(made.size(), 400);
  ASSERT_LT(made.size(), 1100);
  // A second time they change nothing, but Accepts is called.
  ASSERT_EQ(tested.Apply(made, {{"note", "with it"}}), "");
  EXPECT_EQ(tested.Compare(), "");
}

TEST_P(DiskIndexConformance, RefusedChangesAreNotMade) {
  TestedIndex tested(factory(), path());
  ASSERT_EQ(tested.Apply({{"kept", "old"}, {"removed", "old"}, {"set", "old"}}), "");
  TestBatch batch({{"kept", ""}, {"new", "new"}, {"none", "new"}, {"removed", ""}, {"set", "new"}},
                  {{"note", "1"}});
  batch.Ask([](std::string_view key, std::string_view) { return key != "kept" && key != "none"; });
  ASSERT_TRUE(tested.index().Commit(&batch).ok());
  IndexContents contents;
  ASSERT_TRUE(ReadAll(tested.index(), {"note"}, &contents).ok());
  EXPECT_EQ(contents.entries, (BytesMap{{"kept", "old"}, {"new", "new"}, {"set", "new"}}));
  EXPECT_EQ(contents.notes, (BytesMap{{"note", "1"}}));
}

TEST_P(DiskIndexConformance, TheFiguresSaySomething) {
  TestedIndex tested(factory(), path());
  BytesMap changes;
  for (int i = 0; i < 50000; ++i) changes[absl::StrCat("key", i)] = "a value of some bytes";
  ASSERT_EQ(tested.Apply(changes), "");
  ASSERT_TRUE(tested.index().Flush().ok());
  EXPECT_GT(tested.index().KeyCount(), 40000);
  EXPECT_LT(tested.index().KeyCount(), 60000);
  // Even an estimate must survive the end of the process.
  ASSERT_EQ(tested.FlushAndReopen(), "");
  EXPECT_GT(tested.index().KeyCount(), 40000);
  EXPECT_LT(tested.index().KeyCount(), 60000);
  // All keys and values, without what neighbours share and without space that is allocated but
  // unused.
  EXPECT_GT(tested.index().FileBytes(), 50000 * 21);
  EXPECT_LT(tested.index().FileBytes(), 50000 * 200);
  EXPECT_GT(tested.index().MemoryBytes(), 0);
  EXPECT_LT(tested.index().MemoryBytes(), uint64_t{200} << 20);
}

}  // namespace
}  // namespace rumcask
