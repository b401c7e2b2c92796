// Tries one keystore with a database that is a small copy of the one that is to be.

#ifndef RUMCASK_TOOLS_ADVISE_TRIAL_H_
#define RUMCASK_TOOLS_ADVISE_TRIAL_H_

#include <cstdint>
#include <functional>
#include <limits>
#include <string>

#include "absl/status/statusor.h"

#include "tools/advise/profile.h"
#include "tools/advise/trial_figures.h"

namespace rumcask::advise {

struct TrialSettings {
  std::string keystore;
  // The database has the profile's keys divided by two, so many times. Segments and buffers are
  // made smaller in the same way, so that all that grows with the database or is bounded by an
  // option has the same share in it as at full size.
  int halvings = 0;
  // How many halvings less another trial has, with which this one will be compared.
  int smaller = 0;
  // The database has no more keys than this.
  uint64_t most_keys = std::numeric_limits<uint64_t>::max();
  // Only fills the database, for what is no time.
  bool only_fill = false;
  // No phase of the operations takes longer than this. Filling the database does.
  double seconds_per_phase = 60;
  // An existing directory, in which the database is made.
  std::string directory;
  // Whether to end early, with Cancelled. Asked several times a second. May be null.
  std::function<bool()> stop;
};

// Makes the database in processes of their own, so that memory is that of this database alone and
// a crash can be tried, and removes it. This process must have one thread. An error names the
// keystore.
absl::StatusOr<Trial> RunTrial(const Profile& profile, const TrialSettings& settings);

}  // namespace rumcask::advise

#endif  // RUMCASK_TOOLS_ADVISE_TRIAL_H_
