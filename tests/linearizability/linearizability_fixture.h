// Rounds in which eight threads use one database, for the linearizability tests of keystores.

#ifndef RUMCASK_TESTS_LINEARIZABILITY_LINEARIZABILITY_FIXTURE_H_
#define RUMCASK_TESTS_LINEARIZABILITY_LINEARIZABILITY_FIXTURE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "core/options.h"
#include "tests/linearizability/distorted_keystore.h"
#include "tests/linearizability/history.h"

namespace rumcask {

// Small segments make the log roll and seal all the time, some writers sync, and each round
// continues after closing and opening again. Rounds differ in append mode, read mode, background
// threads, segment size and number of keys, and in whether threads are made to yield.
//
// RUMCASK_LINEARIZABILITY_CALLS=n replaces the number of calls; RUMCASK_LINEARIZABILITY_SEED=n is
// the first round: it repeats the choices of a failed one, but not its interleaving.
class LinearizabilityFixture : public testing::Test {
 protected:
  LinearizabilityFixture();
  ~LinearizabilityFixture() override;

  // Expects that nothing is wrong in as many rounds as make about `calls` calls.
  void RunRounds(const KeystoreFactory& keystore, uint64_t calls);
  // Whether a store with such a distorted keystore fails in one of a few rounds.
  bool IsFoundOut(const KeystoreFactory& keystore, Distortion distortion);

 private:
  struct Outcome {
    History history;
    std::vector<std::string> errors;
    std::optional<std::string> violation;
    uint64_t sealed_segments = 0;
  };

  Outcome RunRound(const Options& options, uint32_t keys, uint64_t round);

  const std::string root_;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_LINEARIZABILITY_LINEARIZABILITY_FIXTURE_H_
