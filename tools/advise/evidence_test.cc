// How much is tried.

#include "tools/advise/evidence.h"

#include <cstdint>

#include "gtest/gtest.h"

#include "core/options.h"
#include "keystores/by_name.h"
#include "tools/advise/profile.h"

namespace rumcask::advise {
namespace {

TEST(EvidenceTest, BuffersAreFilledByTheirMemoryOrByTheLog) {
  const KeystoreFactory lmdb = *KeystoreByName("lmdb");
  Profile profile;
  profile.keys = 2100000;
  // Keys of 16 bytes take 96 in a buffer.
  EXPECT_EQ(KeysThatFillBuffers(profile, lmdb, 2), 3 * (lmdb.buffer_bytes >> 2) / 96);
  // A single long one changes nothing.
  profile.longest_key_bytes = 60000;
  EXPECT_EQ(KeysThatFillBuffers(profile, lmdb, 2), 3 * (lmdb.buffer_bytes >> 2) / 96);
  profile.value_bytes = {100000};
  EXPECT_EQ(KeysThatFillBuffers(profile, lmdb, 2), 3 * (Options().replay_bytes >> 2) / 100016);
  // One value that is larger than all of that.
  profile.value_bytes = {uint32_t{1} << 30};
  EXPECT_EQ(KeysThatFillBuffers(profile, lmdb, 2), 1);
}

TEST(EvidenceTest, TheSmallerTrialHasSomeKeys) {
  Profile profile;
  profile.keys = 1000;
  for (const uint32_t value : {100, 1000000, 60000000}) {
    profile.value_bytes = {value};
    for (const double seconds : {0.01, 5.0}) {
      EXPECT_GE(profile.keys >> TrialHalvings(profile, seconds) >> 2, 4) << value;
    }
  }
  // At most 7 GiB are put.
  profile.value_bytes = {uint32_t{1} << 30};
  EXPECT_EQ(profile.keys >> TrialHalvings(profile, 5), 7);
}

TEST(EvidenceTest, AnyNumberOfKeysIsHalvedToSome) {
  Profile profile;
  for (const uint64_t keys : {uint64_t{1}, uint64_t{1000000}, UINT64_MAX}) {
    profile.keys = keys;
    for (const double seconds : {0.0, 0.01, 5.0, 1e9}) {
      const int halvings = TrialHalvings(profile, seconds);
      ASSERT_LT(halvings, 60);
      EXPECT_GE(profile.keys >> halvings, 1) << keys << " in " << seconds;
    }
  }
}

}  // namespace
}  // namespace rumcask::advise
