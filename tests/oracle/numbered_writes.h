// The prefix rule for a writer whose n-th write follows from n: what is found after it was killed,
// or the power was cut, is the state after the first n writes and nothing else.

#ifndef RUMCASK_TESTS_ORACLE_NUMBERED_WRITES_H_
#define RUMCASK_TESTS_ORACLE_NUMBERED_WRITES_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "tests/oracle/operations.h"

namespace rumcask {

class NumberedWrites {
 public:
  // Writes are numbered from 1.
  explicit NumberedWrites(std::function<Operations(uint64_t)> nth) : nth_(std::move(nth)) {}

  // The state after the first count() writes.
  const State& state() const { return state_; }
  uint64_t count() const { return count_; }

  // Goes on to the first state that is `found`, of those after at least `least` writes and at most
  // `most`. Returns nothing, or, if there is none, how `found` differs from the last of them.
  std::string GoOnTo(const State& found, uint64_t least, uint64_t most);

 private:
  // How many of the keys that the n-th write touches differ from `found`.
  size_t Differing(const Operations& operations, const State& found) const;

  std::function<Operations(uint64_t)> nth_;
  State state_;
  uint64_t count_ = 0;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_ORACLE_NUMBERED_WRITES_H_
