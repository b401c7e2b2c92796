// What a database must show while the system fails under it, and after.
//
// An operation that returned OK counts from then on. One that returned an error has not happened as
// long as the database stays open - except that after a failed sync reads may show it - and may or
// may not be found after reopening, a batch as a whole.

#ifndef RUMCASK_TESTS_ORACLE_ERROR_ORACLE_H_
#define RUMCASK_TESTS_ORACLE_ERROR_ORACLE_H_

#include <optional>
#include <string>
#include <vector>

#include "core/db.h"
#include "tests/oracle/operations.h"

namespace rumcask {

class ErrorOracle {
 public:
  // What was done, and what the database said to it.
  void Note(Operations operations, bool sync, const absl::Status& status);
  // All that returned OK until now is durable.
  void NoteSynced();
  // Reads may show what a failed operation wrote.
  void NoteReadOnly() { read_only_ = true; }
  // It was opened again: what failed until now may be there, and stays so.
  void NoteReopened() {
    settled_ = writes_.size();
    read_only_ = false;
  }

  // Which states may be found.
  enum class When {
    kOpen,      // in the database that met the errors
    kReopened,  // after a close or the death of the process
    kPowerCut,  // after a power cut
  };
  // Says what is wrong with `found`, or nothing. Keys in `unreadable` returned an error, which is
  // not a wrong value.
  std::string Judge(When when, const State& found,
                    const std::vector<std::string>& unreadable = {}) const;

  // Every key that was ever written.
  std::vector<std::string> Keys() const;
  // What all that returned OK amounts to.
  State Acknowledged() const;
  bool all_succeeded() const { return failed_ == 0; }

 private:
  struct Write {
    Operations operations;
    bool ok;
  };

  // The values that `key` may have, judged by the writes from the `floor`-th on and what it had
  // before.
  bool Allows(const std::string& key, const std::optional<std::string>& value, size_t floor,
              bool failed_count) const;

  std::vector<Write> writes_;
  size_t durable_ = 0;  // of writes_
  size_t settled_ = 0;  // of writes_, before the last opening
  size_t failed_ = 0;
  bool read_only_ = false;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_ORACLE_ERROR_ORACLE_H_
