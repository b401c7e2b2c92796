// What follows from trials whose figures are given.

#include "gtest/gtest.h"

#include "keystores/by_name.h"
#include "tools/advise/model.h"
#include "tools/advise/profile.h"

namespace rumcask::advise {
namespace {

TEST(LineTest, GoesThroughBothMeasurements) {
  const Line line = LineThrough(10, 150, 20, 250);
  EXPECT_EQ(line.At(10), 150);
  EXPECT_EQ(line.At(20), 250);
  EXPECT_EQ(line.At(100), 1050);
}

TEST(LineTest, NeverFalls) {
  EXPECT_EQ(LineThrough(10, 300, 20, 250).At(100), 250);
  // Nothing fixed is less than nothing.
  EXPECT_EQ(LineThrough(10, 100, 20, 250).At(40), 500);
}

TEST(LineTest, OneNumberOfKeysSaysThatAllOfItGrows) {
  EXPECT_EQ(LineThrough(10, 240, 10, 250).At(1000), 25000);
}

TEST(OverwriteTest, CostsWhatItDoesBesideAnInsertAndNotWhatAnInsertCosts) {
  Trials trials;
  trials.small.keys = 1000;
  trials.large.keys = 4000;
  trials.large.seconds.insert = 8e-6;
  trials.large.seconds.overwrite = 10e-6;
  trials.buffers.seconds.insert = 4e-6;
  Profile profile;
  Model model = ModelOf(profile, *KeystoreByName("lmdb"), trials);
  EXPECT_DOUBLE_EQ(model.seconds.insert, 4e-6);
  EXPECT_DOUBLE_EQ(model.seconds.overwrite, 5e-6);
  // Keys in order go to one end of the index, and overwrites anywhere.
  profile.ascending = true;
  model = ModelOf(profile, *KeystoreByName("lmdb"), trials);
  EXPECT_DOUBLE_EQ(model.seconds.insert, 4e-6);
  EXPECT_DOUBLE_EQ(model.seconds.overwrite, 10e-6);
}

}  // namespace
}  // namespace rumcask::advise
