#include "tools/advise/database_profile.h"

#include <algorithm>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/db.h"
#include "core/iterator.h"

namespace rumcask::advise {

absl::StatusOr<Profile> ProfileOfDatabase(DB* db) {
  constexpr uint64_t kSample = 4096;
  Profile profile;
  profile.keys = db->KeyCount();
  if (profile.keys == 0) return absl::FailedPreconditionError("it has no keys");
  profile.key_bytes.clear();
  profile.value_bytes.clear();
  // Every so many keys of a walk over all, which are in an order that says nothing about lengths in
  // a database that is read with an index of digests.
  const uint64_t between = (profile.keys + kSample - 1) / kSample;
  const absl::StatusOr<std::unique_ptr<Iterator>> walk = db->NewIterator();
  if (!walk.ok()) return walk.status();
  for (uint64_t i = 0; (*walk)->Valid(); (*walk)->Next(), ++i) {
    const uint64_t key_bytes = (*walk)->key().size();
    profile.longest_key_bytes = std::max(profile.longest_key_bytes, key_bytes);
    if (i % between != 0) continue;
    profile.key_bytes.push_back(static_cast<uint32_t>(key_bytes));
    profile.value_bytes.push_back(static_cast<uint32_t>((*walk)->value().size()));
  }
  if (!(*walk)->status().ok()) return (*walk)->status();
  return profile;
}

}  // namespace rumcask::advise
