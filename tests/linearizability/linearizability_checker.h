// Decides whether a history can be explained by operations that take effect one after the other.
//
// Each key is a separate register, which is absent or has a value with a version. Its events are
// linearizable if each can be given an instant between its begin and its end so that, in the order
// of those instants, every event saw and did what the contract of db.h says. The search for those
// instants is exhaustive, so the answer is exact. It is Wing and Gong's search in the just-in-time
// form of Lowe's "Testing for linearizability": at each return, all orders of the pending calls are
// tried, and equal configurations are merged. It is fast because few calls are pending at any time.
//
// Versions are claims of the store under test, so they are checked as well. Within a key, writes
// must take effect in the order of their versions. Over all keys, no version is given twice, the
// versions of a batch are consecutive, and a write that began after another had ended, or after a
// read of that one had ended, has the higher version.

#ifndef RUMCASK_TESTS_LINEARIZABILITY_LINEARIZABILITY_CHECKER_H_
#define RUMCASK_TESTS_LINEARIZABILITY_LINEARIZABILITY_CHECKER_H_

#include <optional>
#include <string>

#include "tests/linearizability/history.h"

namespace rumcask {

// What is wrong with the history, or nullopt. Keys start absent. Values must be unique over all
// writes. Events of one thread must be in the order of the calls, and each thread has its own
// number. At most 32 events of a key may be pending at once.
std::optional<std::string> FindViolation(const History& history);

}  // namespace rumcask

#endif  // RUMCASK_TESTS_LINEARIZABILITY_LINEARIZABILITY_CHECKER_H_
