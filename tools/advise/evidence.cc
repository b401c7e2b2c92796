#include "tools/advise/evidence.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/options.h"
#include "keystores/by_name.h"
#include "tools/advise/device.h"
#include "tools/advise/memory_trial.h"
#include "tools/advise/small_database.h"
#include "tools/advise/trial.h"

namespace rumcask::advise {
namespace {

// The smaller trial has a quarter of the keys.
constexpr int kApart = 2;

// Fills a database of which the buffers are at most four times smaller than at full size, because
// what does not shrink with them would count for too much otherwise.
absl::Status TryBuffers(const Profile& profile, const KeystoreFactory& keystore, int halvings,
                        TrialSettings settings, Trials* trials) {
  constexpr int kMostHalvings = 2;
  trials->halvings_of_buffers = std::min(halvings, kMostHalvings);
  trials->halvings_of_small_buffers = ShrinkingFor(halvings + kApart, kApart).buffers;
  settings.halvings = trials->halvings_of_buffers;
  settings.smaller = 0;
  settings.only_fill = true;
  settings.most_keys = KeysThatFillBuffers(profile, keystore, settings.halvings);
  absl::StatusOr<Trial> trial = RunTrial(profile, settings);
  if (trial.ok()) trials->buffers = *trial;
  return trial.status();
}

}  // namespace

int TrialHalvings(const Profile& profile, double seconds) {
  // What the slowest keystore does on a slow machine, all phases together, and a slow disk takes.
  constexpr double kKeysPerSecond = 20000;
  constexpr double kBytesPerSecond = 20e6;
  const double keys = std::min(kKeysPerSecond, kBytesPerSecond / profile.EntryBytes()) * seconds;
  // From two trials with the same few keys nothing could be told that grows with them. But values
  // of a gigabyte are not put for that.
  constexpr double kLargeEntry = 1 << 26;
  const uint64_t least = profile.EntryBytes() > kLargeEntry ? 1 : 4;
  // More than any number of keys that Check lets through needs.
  constexpr int kMost = 48;
  int halvings = 0;
  while (static_cast<double>(profile.keys >> halvings) > keys && halvings < kMost &&
         profile.keys >> (halvings + 1 + kApart) >= least) {
    ++halvings;
  }
  return halvings;
}

uint64_t KeysThatFillBuffers(const Profile& profile, const KeystoreFactory& keystore,
                             int halvings) {
  constexpr double kTimes = 3;
  // What a key takes in a buffer beside its bytes.
  constexpr double kBesideKey = 80;
  const double by_memory =
      static_cast<double>(keystore.buffer_bytes >> halvings) / (kBesideKey + profile.KeyBytes());
  const double by_log =
      static_cast<double>(Options().replay_bytes >> halvings) / profile.EntryBytes();
  return std::max(static_cast<uint64_t>(kTimes * std::min(by_memory, by_log)), uint64_t{1});
}

absl::StatusOr<Trials> TryKeystore(const Profile& profile, const KeystoreFactory& keystore,
                                   int halvings, const GatherSettings& settings) {
  constexpr double kPhases = 8;
  TrialSettings trial;
  trial.keystore = keystore.traits.name;
  trial.directory = settings.directory;
  trial.stop = settings.stop;
  trial.seconds_per_phase = settings.seconds / kPhases;
  Trials trials;
  for (const int more : {kApart, 0}) {
    trial.halvings = halvings + more;
    trial.smaller = more;
    absl::StatusOr<Trial> done = RunTrial(profile, trial);
    if (!done.ok()) return done.status();
    (more == kApart ? trials.small : trials.large) = *done;
  }
  if (keystore.traits.persistent) {
    const absl::Status status = TryBuffers(profile, keystore, halvings, trial, &trials);
    if (!status.ok()) return status;
    return trials;
  }
  MemorySettings memory;
  memory.keystore = keystore.traits.name;
  memory.least_keys = trials.small.keys;
  memory.most_keys = std::max(settings.most_index_keys, trials.large.keys);
  memory.seconds = settings.seconds / kPhases;
  memory.stop = settings.stop;
  absl::StatusOr<std::vector<MemoryPoint>> points = RunMemoryTrial(profile, memory);
  if (!points.ok()) return points.status();
  trials.index_memory = *std::move(points);
  return trials;
}

absl::StatusOr<Evidence> Gather(const Profile& profile, const GatherSettings& settings) {
  const absl::StatusOr<double> speed = WriteSpeed(settings.directory);
  if (!speed.ok()) return speed.status();
  Evidence evidence;
  evidence.device_bytes_per_second = *speed;
  const int halvings = TrialHalvings(profile, settings.seconds);
  for (const std::string& name : KeystoreNames()) {
    const absl::StatusOr<KeystoreFactory> keystore = KeystoreByName(name);
    if (!keystore.ok()) return keystore.status();
    if (profile.LongestKey() > keystore->traits.max_key_bytes) {
      evidence.models.push_back(UntriedModel(*keystore));
      continue;
    }
    if (settings.announce != nullptr) settings.announce(name);
    const absl::StatusOr<Trials> trials = TryKeystore(profile, *keystore, halvings, settings);
    if (!trials.ok()) return trials.status();
    evidence.models.push_back(ModelOf(profile, *keystore, *trials));
  }
  return evidence;
}

}  // namespace rumcask::advise
