// A keystore that forwards all calls to another one, with small errors.

#ifndef RUMCASK_TESTS_LINEARIZABILITY_DISTORTED_KEYSTORE_H_
#define RUMCASK_TESTS_LINEARIZABILITY_DISTORTED_KEYSTORE_H_

#include "core/plugin/keystore.h"

namespace rumcask {

enum class Distortion {
  // Correct, but threads yield at the worst moments, because on few cores calls hardly overlap by
  // themselves.
  kYield,
  // Some Gets return the location before the newest one.
  kStaleGet,
  // Some Applys have no effect.
  kDroppedApply,
  // Some Applys return before their effect is visible; the next Apply makes it visible.
  kLateApply,
};

// The keystores of `factory`, distorted. About one in `period` of the calls concerned is affected.
KeystoreFactory Distorted(KeystoreFactory factory, Distortion distortion, uint64_t period);

}  // namespace rumcask

#endif  // RUMCASK_TESTS_LINEARIZABILITY_DISTORTED_KEYSTORE_H_
