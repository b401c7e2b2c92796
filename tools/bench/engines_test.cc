// Tests that every store does what engine.h says. The peers have a binary that runs the same tests.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "tools/bench/engine.h"
#include "tools/bench/tested_engines.h"

namespace rumcask::bench {
namespace {

class EngineTest : public testing::TestWithParam<std::string> {
 protected:
  EngineTest() {
    for (const EngineType& type : TestedEngines()) {
      if (type.name == GetParam()) type_ = type;
    }
    settings_.path = testing::TempDir() + "/" + GetParam();
    settings_.cache_bytes = 1 << 20;
    settings_.expected_keys = 1000;
    settings_.expected_bytes = 4 << 20;
    settings_.count_written = true;
    std::filesystem::remove_all(settings_.path);
    std::filesystem::create_directories(settings_.path);
    Open();
  }
  ~EngineTest() override {
    if (engine_ != nullptr) {
      EXPECT_TRUE(engine_->Close().ok());
    }
    engine_.reset();
    std::filesystem::remove_all(settings_.path);
  }

  void Open() {
    absl::StatusOr<std::unique_ptr<Engine>> engine = type_.open(settings_);
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
  }

  std::string Get(std::string_view key) {
    std::string value = "unchanged";
    const absl::Status status = engine_->Get(key, &value);
    if (absl::IsNotFound(status)) return "none";
    return status.ok() ? value : std::string(status.message());
  }

  EngineType type_;
  EngineSettings settings_;
  std::unique_ptr<Engine> engine_;
};

TEST_P(EngineTest, DescribesItself) {
  EXPECT_FALSE(type_.library.empty());
  EXPECT_TRUE(type_.assertions == "on" || type_.assertions == "off") << type_.assertions;
  EXPECT_FALSE(type_.options(settings_).empty());
  EXPECT_FALSE(type_.durability.empty());
}

TEST_P(EngineTest, PutGetDelete) {
  EXPECT_EQ(Get("a"), "none");
  for (const bool sync : {false, true}) {
    EXPECT_TRUE(engine_->Put("a", "1", sync).ok());
    EXPECT_EQ(Get("a"), "1");
    EXPECT_TRUE(engine_->Put("a", std::string(5000, 'x'), sync).ok());
    EXPECT_EQ(Get("a"), std::string(5000, 'x'));
    EXPECT_TRUE(engine_->Put("b", "", sync).ok());
    EXPECT_EQ(Get("b"), "");
    EXPECT_TRUE(engine_->Delete("a", sync).ok());
    EXPECT_EQ(Get("a"), "none");
    EXPECT_TRUE(engine_->Delete("never there", sync).ok());
  }
  EXPECT_TRUE(engine_->Sync().ok());
}

TEST_P(EngineTest, BatchesAndMultiGet) {
  for (const bool sync : {false, true}) {
    const std::vector<std::pair<std::string_view, std::string_view>> entries = {
        {"k1", "v1"}, {"k2", "v2"}, {"k3", sync ? "v3" : "before"}};
    EXPECT_TRUE(engine_->Write(entries, sync).ok());
  }
  std::vector<std::string> values = {"from before"};
  uint64_t found = 5;
  const std::vector<std::string_view> keys = {"k3", "missing", "k1"};
  EXPECT_TRUE(engine_->MultiGet(keys, &values, &found).ok());
  EXPECT_EQ(found, 7);
  ASSERT_EQ(values.size(), 3);
  EXPECT_EQ(values[0], "v3");
  EXPECT_EQ(values[2], "v1");
  // Fewer keys than the last time, and then more, the last of which is missing.
  const std::vector<std::string_view> fewer = {"missing"};
  found = 0;
  EXPECT_TRUE(engine_->MultiGet(fewer, &values, &found).ok());
  EXPECT_EQ(found, 0);
  const std::vector<std::string_view> more = {"k1", "k2", "k3", "k1", "none"};
  EXPECT_TRUE(engine_->MultiGet(more, &values, &found).ok());
  EXPECT_EQ(found, 4);
  EXPECT_EQ(values[3], "v1");
}

TEST_P(EngineTest, Walks) {
  std::map<std::string, std::string> entries;
  for (int i = 0; i < 500; ++i) {
    const std::string key = "key" + std::to_string(1000 + i * 7919 % 500);
    entries[key] = "value" + std::to_string(i);
    ASSERT_TRUE(engine_->Put(key, entries[key], false).ok());
  }
  absl::StatusOr<std::unique_ptr<EngineCursor>> cursor = engine_->NewCursor();
  if (absl::IsUnimplemented(cursor.status())) {
    EXPECT_FALSE(cursor.status().message().empty());
    EXPECT_FALSE(type_.ordered);
    return;
  }
  ASSERT_TRUE(cursor.ok()) << cursor.status();
  std::map<std::string, std::string> walked;
  std::string before;
  ASSERT_TRUE((*cursor)->SeekToFirst().ok());
  for (; (*cursor)->Valid(); (*cursor)->Next()) {
    const std::string key((*cursor)->key());
    if (type_.ordered) {
      EXPECT_LT(before, key);
    }
    before = key;
    EXPECT_TRUE(walked.emplace(key, (*cursor)->value()).second) << key;
  }
  EXPECT_TRUE((*cursor)->status().ok());
  EXPECT_EQ(walked, entries);

  const absl::Status sought = (*cursor)->Seek("key1200a");
  if (!type_.ordered) {
    EXPECT_TRUE(absl::IsUnimplemented(sought)) << sought;
    return;
  }
  ASSERT_TRUE(sought.ok()) << sought;
  ASSERT_TRUE((*cursor)->Valid());
  EXPECT_EQ((*cursor)->key(), "key1201");
  EXPECT_TRUE((*cursor)->Seek("z").ok());
  EXPECT_FALSE((*cursor)->Valid());
  // A cursor that is first moved by Seek, then to keys before and after that.
  cursor = engine_->NewCursor();
  ASSERT_TRUE(cursor.ok()) << cursor.status();
  for (const std::string key : {"key1300", "key1100", "key1499", "key1000", "key1300"}) {
    ASSERT_TRUE((*cursor)->Seek(key).ok());
    ASSERT_TRUE((*cursor)->Valid());
    EXPECT_EQ((*cursor)->key(), key);
    EXPECT_EQ((*cursor)->value(), entries[key]);
  }
  (*cursor)->Next();
  EXPECT_EQ((*cursor)->key(), "key1301");
  // A read beside an open cursor.
  EXPECT_EQ(Get("key1200"), entries["key1200"]);
}

TEST_P(EngineTest, CountsWhatItWrites) {
  if (absl::IsUnimplemented(engine_->Written().status())) {
    EXPECT_TRUE(GetParam() == "yardstick" || GetParam() == "leveldb" || GetParam() == "lmdb");
    return;
  }
  const WrittenBytes before = *engine_->Written();
  constexpr uint64_t kPuts = 1000;
  constexpr uint64_t kKeys = 600;
  const std::string value(1000, 'v');
  for (uint64_t i = 0; i < kPuts; ++i) {
    ASSERT_TRUE(engine_->Put("key" + std::to_string(i % kKeys), value, false).ok());
  }
  const WrittenBytes after_puts = *engine_->Written();
  EXPECT_GE(after_puts.log - before.log, kPuts * value.size());
  EXPECT_LE(after_puts.log - before.log, kPuts * value.size() * 11 / 10);
  EXPECT_EQ(after_puts.rest, before.rest);
  // What is live is written again, and it is no part of the log.
  ASSERT_TRUE(engine_->Compact().ok());
  const WrittenBytes after = *engine_->Written();
  EXPECT_GE(after.rest - before.rest, kKeys * value.size());
  EXPECT_LE(after.rest - before.rest, 3 * kPuts * value.size());
  EXPECT_GE(after.log - before.log, kPuts * value.size());
  EXPECT_LE(after.log - before.log, kPuts * value.size() * 11 / 10);
}

TEST_P(EngineTest, CountsOnlyIfAsked) {
  ASSERT_TRUE(engine_->Close().ok());
  settings_.count_written = false;
  Open();
  const bool free_of_cost = type_.library.find("rumcask") == 0;
  EXPECT_EQ(engine_->Written().ok(), free_of_cost);
}

class PersistentEngineTest : public EngineTest {};

TEST_P(PersistentEngineTest, IsThereAfterOpeningAgain) {
  ASSERT_TRUE(engine_->Put("kept", "1", false).ok());
  ASSERT_TRUE(engine_->Put("deleted", "1", false).ok());
  ASSERT_TRUE(engine_->Delete("deleted", false).ok());
  EXPECT_EQ(Get("kept"), "1");
  ASSERT_TRUE(engine_->Close().ok());
  engine_.reset();
  Open();
  EXPECT_EQ(Get("kept"), "1");
  EXPECT_EQ(Get("deleted"), "none");
  const absl::Status compacted = engine_->Compact();
  EXPECT_TRUE(compacted.ok() || absl::IsUnimplemented(compacted)) << compacted;
  EXPECT_EQ(Get("kept"), "1");
}

std::vector<std::string> Names(bool persistent_only) {
  std::vector<std::string> names;
  for (const EngineType& type : TestedEngines()) {
    if (type.persistent || !persistent_only) names.push_back(type.name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, EngineTest, testing::ValuesIn(Names(/*persistent_only=*/false)),
                         [](const auto& parameter) { return parameter.param; });
INSTANTIATE_TEST_SUITE_P(All, PersistentEngineTest,
                         testing::ValuesIn(Names(/*persistent_only=*/true)),
                         [](const auto& parameter) { return parameter.param; });

}  // namespace
}  // namespace rumcask::bench
