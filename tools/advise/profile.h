// What a user says about a database that is to be: its keys, its operations, and what it may take.

#ifndef RUMCASK_TOOLS_ADVISE_PROFILE_H_
#define RUMCASK_TOOLS_ADVISE_PROFILE_H_

#include <cstdint>
#include <limits>
#include <vector>

#include "absl/status/status.h"

#include "tools/bench/workload.h"
#include "tools/bench/zipf.h"

namespace rumcask::advise {

struct Profile {
  uint64_t keys = 0;
  // Samples of the lengths of keys and values. Trials draw theirs from these.
  std::vector<uint32_t> key_bytes = {16};
  std::vector<uint32_t> value_bytes = {100};
  // Of all keys, if it is known; a sample may lack it. 0 if it is not.
  uint64_t longest_key_bytes = 0;

  // Shares of the operations, which add up to 1. An insert puts a key that is new, an overwrite one
  // that is there.
  double gets = 0.5;
  double overwrites = 0.5;
  double inserts = 0;
  double scans = 0;
  uint64_t scan_length = 50;

  // Which keys are read and overwritten most.
  bench::KeyOrder popular = bench::KeyOrder::kUniform;
  double theta = bench::Zipf::kTheta;
  // Keys are inserted in their order, as times are.
  bool ascending = false;

  // Keys are wanted in order even if none of the operations is a scan.
  bool ordered = false;
  // Odds that two keys are taken for one are not accepted, however small.
  bool exact_keys = false;

  // Limits: on memory without the page cache, and on the seconds of an opening after a clean close
  // and after a crash.
  uint64_t memory_bytes = std::numeric_limits<uint64_t>::max();
  double open_seconds = std::numeric_limits<double>::infinity();
  double recovery_seconds = std::numeric_limits<double>::infinity();

  bool NeedsOrder() const { return ordered || scans > 0; }
  uint64_t LongestKey() const;
  // Of a key.
  double KeyBytes() const;
  // Of a key with its value.
  double EntryBytes() const;
};

// InvalidArgument if there are no keys, lengths that no database takes, or more than could be
// calculated with.
absl::Status Check(const Profile& profile);

// Divides the shares by their sum. InvalidArgument if that is 0.
absl::Status MakeShares(Profile* profile);

}  // namespace rumcask::advise

#endif  // RUMCASK_TOOLS_ADVISE_PROFILE_H_
