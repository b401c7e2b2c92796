// What the writers do. A writer's n-th operation follows from its number and n, so that whoever
// knows how far it came knows what it must have left.

#ifndef RUMCASK_TESTS_WORKLOADS_WRITER_OPERATIONS_H_
#define RUMCASK_TESTS_WORKLOADS_WRITER_OPERATIONS_H_

#include <cstdint>
#include <string>

#include "tests/oracle/operations.h"

namespace rumcask {

inline constexpr int kWriters = 4;
// Each writer has this many keys of its own.
inline constexpr uint64_t kKeysPerWriter = 400;
// Of these descriptors writer i gets the i-th to acknowledge through.
inline constexpr int kFirstAcknowledgement = 3;
// And this one is closed when the database is about to be opened: what comes before, such as
// loading libraries, is of no interest and takes long.
inline constexpr int kOpening = kFirstAcknowledgement + kWriters;

struct WriterOperation {
  // Several are a batch; no value is a delete.
  Operations changes;
  bool sync = false;
};

std::string WriterKey(int writer, uint64_t i);
// Operations are numbered from 1.
WriterOperation OperationOf(int writer, uint64_t n);
// The same for compaction: a few keys are overwritten and deleted again and again, and the others
// seldom, so that there are always segments with a little that is live. Values are short, and some
// are larger than a tiny segment.
WriterOperation ChurnOf(int writer, uint64_t n);

}  // namespace rumcask

#endif  // RUMCASK_TESTS_WORKLOADS_WRITER_OPERATIONS_H_
