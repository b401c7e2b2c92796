// Tells from small trials what a database takes at full size.

#ifndef RUMCASK_TOOLS_ADVISE_MODEL_H_
#define RUMCASK_TOOLS_ADVISE_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/plugin/keystore_factory.h"
#include "tools/advise/profile.h"
#include "tools/advise/trial_figures.h"

namespace rumcask::advise {

// What grows with the number of keys: a fixed part, and as much for each key.
struct Line {
  double fixed = 0;
  double per_key = 0;

  double At(double keys) const { return fixed + per_key * keys; }
};

// The line through two measurements, which never falls: if more keys took less, that was noise.
// With the same keys twice it is not known what is fixed, and all of it counts as growing.
Line LineThrough(double keys_a, double a, double keys_b, double b);

// A keystore for the keys and values of a profile. All that is known of it is in here, so that a
// figure of the profile may change and the keystore be judged again.
struct Model {
  std::string keystore;
  bool ordered = false;
  bool persistent = false;
  bool exact_keys = true;
  size_t longest_key = 0;
  // Whether the figures below are known.
  bool tried = true;

  // Bytes of anonymous memory: of an index in memory, and all else; with an index on disk, caches
  // and buffers, which are bounded.
  Line memory;
  // What is wanted beside it when writers are faster than an index on disk for a while.
  double burst_bytes = 0;
  // Bytes of the log with each key once, and of an index on disk.
  Line log;
  Line index_files;
  // What the log takes at most, as a multiple of that, and beside it.
  double space_amplification = 1;
  double working_bytes = 0;
  // What RESERVE takes at most.
  double reserve_bytes = 0;
  double written_per_byte = 0;
  OperationSeconds seconds;
  Line open_seconds;
  Line recovery_seconds;
};

struct Prediction {
  double memory_bytes = 0;
  double disk_bytes = 0;
  double open_seconds = 0;
  double recovery_seconds = 0;
};

// Two trials of a keystore, the smaller one first, and what was seen of its memory.
struct Trials {
  Trial small;
  Trial large;
  // Of a keystore in memory: the last point and one with a quarter of its keys are used.
  std::vector<MemoryPoint> index_memory;
  // Of a keystore on disk: a filled database whose buffers and caches were halved less often, and
  // how often those of the smaller trial were.
  Trial buffers;
  int halvings_of_buffers = 0;
  int halvings_of_small_buffers = 0;
};

// A keystore of which only its traits are known.
Model UntriedModel(const KeystoreFactory& keystore);

Model ModelOf(const Profile& profile, const KeystoreFactory& keystore, const Trials& trials);

Prediction Predict(const Model& model, uint64_t keys);

// Seconds of an operation of the profile's mix: processor time, or for a put the time in which the
// device writes what it costs, if that is more.
double OperationCost(const Model& model, const Profile& profile, double device_bytes_per_second);

}  // namespace rumcask::advise

#endif  // RUMCASK_TOOLS_ADVISE_MODEL_H_
