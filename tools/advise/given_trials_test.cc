// What follows from trials whose figures are given.

#include <cstdint>

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

TEST(MemoryTest, WhatIsBesideTheIndexIsKnownForAnyNumberOfKeys) {
  constexpr uint64_t kOfIndex = 100;
  constexpr uint64_t kBeside = 20;
  Profile profile;
  profile.keys = 5000003;
  Trials trials;
  trials.small.keys = profile.keys >> 8;
  trials.large.keys = profile.keys >> 6;
  for (Trial* trial : {&trials.small, &trials.large}) {
    trial->memory_bytes = (kOfIndex + kBeside) * trial->keys;
  }
  // None of them has the keys of the larger trial.
  for (uint64_t keys = trials.small.keys; keys < profile.keys; keys *= 2) {
    ASSERT_NE(keys, trials.large.keys);
    trials.index_memory.push_back({keys, kOfIndex * keys});
  }
  const Model model = ModelOf(profile, *KeystoreByName("hash"), trials);
  EXPECT_NEAR(Predict(model, profile.keys).memory_bytes / 5000003, kOfIndex + kBeside, 0.1);
}

TEST(DiskTest, HasRoomForWhatIsOverwrittenAndForTheReserve) {
  constexpr double kMiB = 1 << 20;
  Trials trials;
  trials.small.keys = 1 << 10;
  trials.large.keys = 1 << 12;
  trials.small.log_bytes = trials.small.keys << 10;
  trials.large.log_bytes = trials.large.keys << 10;
  trials.index_memory = {{trials.small.keys, 1}, {trials.large.keys, 1}};
  Profile profile;
  profile.overwrites = 0;
  Model model = ModelOf(profile, *KeystoreByName("hash"), trials);
  // No sealed segment; one, a quarter of which the reserve takes; and as much as it takes at most.
  EXPECT_EQ(Predict(model, 63 << 10).disk_bytes, 63 * kMiB);
  EXPECT_EQ(Predict(model, 100 << 10).disk_bytes, 116 * kMiB);
  EXPECT_EQ(Predict(model, 1000 << 10).disk_bytes, 1064 * kMiB);
  // Half as much again, and four segments.
  profile.overwrites = 0.5;
  model = ModelOf(profile, *KeystoreByName("hash"), trials);
  EXPECT_EQ(Predict(model, 1000 << 10).disk_bytes, (1500 + 4 * 64 + 64) * kMiB);
  // On disk twice as much, and the reserve for two buffers too.
  trials.index_memory.clear();
  model = ModelOf(profile, *KeystoreByName("lmdb"), trials);
  EXPECT_EQ(Predict(model, 1000 << 10).disk_bytes, (2000 + 4 * 64 + 3 * 64) * kMiB);
}

}  // namespace
}  // namespace rumcask::advise
