// Tries all keystores.

#ifndef RUMCASK_TOOLS_ADVISE_EVIDENCE_H_
#define RUMCASK_TOOLS_ADVISE_EVIDENCE_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"

#include "core/plugin/keystore_factory.h"
#include "tools/advise/model.h"
#include "tools/advise/profile.h"
#include "tools/advise/recommendation.h"

namespace rumcask::advise {

struct GatherSettings {
  // About what one keystore may take.
  double seconds = 5;
  // More keys tell nothing more about an index in memory.
  uint64_t most_index_keys = uint64_t{1} << 23;
  // An existing directory; what is made there is removed.
  std::string directory;
  std::function<bool()> stop;
  // Called with the name of each keystore before it is tried. May be null.
  std::function<void(const std::string& keystore)> announce;
};

// How often the number of keys is halved for a trial.
int TrialHalvings(const Profile& profile, double seconds);

// As many keys as fill buffers that were halved so often three times. A buffer is full when it
// takes its bytes of memory, and also when so much of the log is in it as may be read again.
uint64_t KeysThatFillBuffers(const Profile& profile, const KeystoreFactory& keystore, int halvings);

// The trials of one keystore, the larger with so many halvings.
absl::StatusOr<Trials> TryKeystore(const Profile& profile, const KeystoreFactory& keystore,
                                   int halvings, const GatherSettings& settings);

// Keystores that cannot take the keys are not tried. One without an order is, although an order is
// asked for, so that it can be told what giving up the order would gain.
absl::StatusOr<Evidence> Gather(const Profile& profile, const GatherSettings& settings);

}  // namespace rumcask::advise

#endif  // RUMCASK_TOOLS_ADVISE_EVIDENCE_H_
