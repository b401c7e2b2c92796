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
  profile.value_bytes = {100000};
  EXPECT_EQ(KeysThatFillBuffers(profile, lmdb, 2), 3 * (Options().replay_bytes >> 2) / 100016);
  // One value that is larger than all of that.
  profile.value_bytes = {uint32_t{1} << 30};
  EXPECT_EQ(KeysThatFillBuffers(profile, lmdb, 2), 1);
}

}  // namespace
}  // namespace rumcask::advise
