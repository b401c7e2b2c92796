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
  EXPECT_FALSE(oracle.Explains({{"a", "1"}}, promise.synced, &cut, &why));
  EXPECT_FALSE(oracle.Explains({{"b", "2"}}, promise.synced, &cut, &why));
  EXPECT_TRUE(oracle.Explains({{"a", "1"}, {"b", "2"}}, promise.synced, &cut, &why));
  EXPECT_EQ(cut, 2u);
  // Never a part of a batch.
  EXPECT_FALSE(oracle.Explains({{"a", "1"}, {"b", "2"}, {"c", "3"}}, promise.synced, &cut, &why));
  // After a kill: all of it.
  const State all = {{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}};
  EXPECT_TRUE(oracle.Explains(all, promise.returned, &cut, &why));
  EXPECT_FALSE(oracle.Explains({{"a", "1"}, {"b", "2"}}, promise.returned, &cut, &why));
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

}  // namespace
}  // namespace rumcask
