// An oracle that finds nothing wrong is of no use: what each must refuse, and what it must not.

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "gtest/gtest.h"

#include "core/testing/map_keystore.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/oracle/chain_oracle.h"
#include "tests/oracle/error_oracle.h"
#include "tests/oracle/numbered_writes.h"
#include "tests/oracle/operations.h"
#include "tests/oracle/prefix_oracle.h"

namespace rumcask {
namespace {

class OracleTest : public testing::Test {
 protected:
  OracleTest() {
    Options options;
    options.create_if_missing = true;
    options.file_system = &disk_;
    options.keystore = TestKeystore();
    db_ = *DB::Open("/crash/db", options);
  }

  CrashFileSystem disk_;
  std::unique_ptr<DB> db_;
};

TEST_F(OracleTest, OperationsDoTheSameToADatabaseAndToAState) {
  const Operations writes[] = {{{"a", "1"}},
                               {{"b", "2"}, {"c", "3"}, {"a", std::nullopt}},
                               {{"c", std::nullopt}},
                               {{"never", std::nullopt}}};
  State state;
  for (const Operations& operations : writes) {
    Apply(operations, &state);
    ASSERT_TRUE(Perform(operations, db_.get(), {}).ok());
    State found;
    ASSERT_TRUE(ReadAll(db_.get(), &found).ok());
    EXPECT_EQ(found, state);
    EXPECT_EQ(Difference(found, state), "no difference");
  }
  EXPECT_EQ(state, (State{{"b", "2"}}));
  EXPECT_EQ(Difference({}, state), "key b is missing");
  EXPECT_EQ(Difference({{"b", "2"}, {"x", ""}}, state), "key x should not be there");
  EXPECT_EQ(Difference({{"b", "3"}}, state), "key b has 3 instead of 2");
}

TEST_F(OracleTest, APrefixIsExplainedAndAHoleIsNot) {
  PrefixOracle oracle;
  oracle.SetDb(db_.get());
  ASSERT_TRUE(oracle.Put("a", "1").ok());
  ASSERT_TRUE(oracle.Put("b", "2", /*sync=*/true).ok());
  ASSERT_TRUE(oracle.Write({{"c", "3"}, {"d", "4"}}, /*sync=*/false).ok());
  const Promise promise = oracle.promise();
  EXPECT_EQ(promise.returned, 4u);
  EXPECT_EQ(promise.synced, 2u);
  uint64_t cut = 0;
  std::string why;
  // After a power cut: from what was synced on.
  EXPECT_FALSE(oracle.Explains({{"a", "1"}}, {{"a", 1}}, promise.synced, &cut, &why));
  EXPECT_FALSE(oracle.Explains({{"b", "2"}}, {{"b", 2}}, promise.synced, &cut, &why));
  const State two = {{"a", "1"}, {"b", "2"}};
  EXPECT_TRUE(oracle.Explains(two, {{"a", 1}, {"b", 2}}, promise.synced, &cut, &why));
  EXPECT_EQ(cut, 2u);
  // Never a part of a batch.
  const State three = {{"a", "1"}, {"b", "2"}, {"c", "3"}};
  const Versions versions = {{"a", 1}, {"b", 2}, {"c", 3}};
  EXPECT_FALSE(oracle.Explains(three, versions, promise.synced, &cut, &why));
  // After a kill: all of it.
  const State all = {{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}};
  const Versions all_versions = {{"a", 1}, {"b", 2}, {"c", 3}, {"d", 4}};
  EXPECT_TRUE(oracle.Explains(all, all_versions, promise.returned, &cut, &why));
  EXPECT_FALSE(oracle.Explains(two, {{"a", 1}, {"b", 2}}, promise.returned, &cut, &why));
  // Never with another version, as where a record was indexed under a wrong number.
  EXPECT_FALSE(oracle.Explains(two, {{"a", 1}, {"b", 3}}, promise.synced, &cut, &why));
  EXPECT_NE(why.find("versions"), std::string::npos) << why;
  // A delete of nothing that is synced vouches for what it has observed.
  ASSERT_TRUE(oracle.Write({{"never", std::nullopt}}, /*sync=*/true).ok());
  EXPECT_EQ(oracle.promise().synced, 4u);
}

TEST(ErrorOracleTest, WhatReturnedAnErrorMayBeFoundOnlyAfterReopeningAndAsAWhole) {
  using When = ErrorOracle::When;
  ErrorOracle oracle;
  oracle.Note({{"a", "1"}}, /*sync=*/true, absl::OkStatus());
  oracle.Note({{"b", "2"}, {"c", "3"}}, false, absl::InternalError(""));
  oracle.Note({{"d", "4"}}, false, absl::OkStatus());
  const State sure = {{"a", "1"}, {"d", "4"}};
  State with = sure;
  with["b"] = "2";
  EXPECT_EQ(oracle.Judge(When::kOpen, sure), "");
  EXPECT_NE(oracle.Judge(When::kOpen, with), "");
  with["c"] = "3";
  EXPECT_NE(oracle.Judge(When::kOpen, with), "");
  EXPECT_EQ(oracle.Judge(When::kReopened, with), "");
  EXPECT_EQ(oracle.Judge(When::kReopened, sure), "");
  EXPECT_NE(oracle.Judge(When::kReopened, {{"a", "1"}}), "");
  // A power cut takes what nobody synced.
  EXPECT_EQ(oracle.Judge(When::kPowerCut, {{"a", "1"}}), "");
  EXPECT_NE(oracle.Judge(When::kPowerCut, {{"d", "4"}}), "");
}

TEST(ChainOracleTest, AStateIsOnePrefixAndAVersionComesOnce) {
  ChainOracle oracle;
  EXPECT_EQ(oracle.Wrote(1, {{"a", "1"}}), "");
  EXPECT_EQ(oracle.Wrote(2, {{"b", "2"}}), "");
  EXPECT_NE(oracle.Wrote(2, {{"c", "3"}}), "");
}

// ---- numbered writes ----

// The n-th write sets one of three keys, and every fourth deletes another one.
Operations NthOfThree(uint64_t n) {
  Operations operations = {{"key" + std::to_string(n % 3), "value" + std::to_string(n)}};
  if (n % 4 == 0) operations.push_back({"key" + std::to_string((n + 1) % 3), std::nullopt});
  return operations;
}

State AfterThree(uint64_t count) {
  State state;
  for (uint64_t n = 1; n <= count; ++n) Apply(NthOfThree(n), &state);
  return state;
}

TEST(NumberedWritesTest, FindsTheWriteAfterWhichTheStateWasFound) {
  NumberedWrites writes(NthOfThree);
  for (const uint64_t count : {0, 1, 4, 5, 17, 18}) {
    EXPECT_EQ(writes.GoOnTo(AfterThree(count), /*least=*/writes.count(), /*most=*/30), "");
    EXPECT_EQ(writes.count(), count);
    EXPECT_EQ(writes.state(), AfterThree(count));
  }
}

TEST(NumberedWritesTest, NoOtherStateWillDo) {
  const auto differs = [](const State& found, uint64_t least, uint64_t most) {
    return !NumberedWrites(NthOfThree).GoOnTo(found, least, most).empty();
  };
  EXPECT_FALSE(differs(AfterThree(7), 7, 7));
  EXPECT_TRUE(differs(AfterThree(6), 7, 8)) << "less than was promised";
  EXPECT_TRUE(differs(AfterThree(9), 7, 8)) << "more than was written";
  State missing = AfterThree(7), changed = missing, more = missing;
  missing.erase(missing.begin());
  changed.begin()->second += "x";
  more["another key"] = "x";
  for (const State& found : {missing, changed, more}) EXPECT_TRUE(differs(found, 0, 30));
}

}  // namespace
}  // namespace rumcask
