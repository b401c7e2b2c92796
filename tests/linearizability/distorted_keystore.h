// A keystore that passes everything on to another one, but not quite.

#ifndef RUMCASK_TESTS_LINEARIZABILITY_DISTORTED_KEYSTORE_H_
#define RUMCASK_TESTS_LINEARIZABILITY_DISTORTED_KEYSTORE_H_

#include "core/plugin/keystore.h"

namespace rumcask {

enum class Distortion {
  // Correct, but threads give way at the worst moments: on few cores, calls overlap little by
  // themselves.
  kYield,
  // Some Gets return the location before the newest.
  kStaleGet,
  // Some Applys are forgotten.
  kDroppedApply,
  // Some Applys return before their effect is seen; the next one brings it.
  kLateApply,
};

// `factory`'s keystores, distorted; of the calls concerned about one in `period`.
KeystoreFactory Distorted(KeystoreFactory factory, Distortion distortion, uint64_t period);

}  // namespace rumcask

#endif  // RUMCASK_TESTS_LINEARIZABILITY_DISTORTED_KEYSTORE_H_
