// Decides whether a history can be explained by operations that take effect one after the other.
//
// Each key is a register of its own: absent, or a value with a version. Its events are linearizable
// if each can be given an instant between its begin and its end so that, taken in the order of
// those instants, every one saw and did what the contract of db.h says. The search for those
// instants is exhaustive (Wing and Gong's, in the just-in-time form of Lowe's "Testing for
// linearizability": at each return all orders of the calls under way are tried, and equal
// configurations merged), so the answer is exact. It is fast because few calls are under way at any
// time.
//
// Versions are claims of the store under test and are not believed but tested: within a key, writes
// must take effect in the order of their versions; over all keys, no version is given twice, a
// batch's are consecutive, and a write that began after another ended, or after a read of it ended,
// has the higher version.

#ifndef RUMCASK_TESTS_LINEARIZABILITY_LINEARIZABILITY_CHECKER_H_
#define RUMCASK_TESTS_LINEARIZABILITY_LINEARIZABILITY_CHECKER_H_

#include <optional>
#include <string>

#include "tests/linearizability/history.h"

namespace rumcask {

// What is wrong with the history, or nothing. Keys start absent. Values are unique over all writes;
// events of one thread are in the order of the calls, and no two threads have the same number. At
// most 32 events of a key may be under way at once.
std::optional<std::string> FindViolation(const History& history);

}  // namespace rumcask

#endif  // RUMCASK_TESTS_LINEARIZABILITY_LINEARIZABILITY_CHECKER_H_
