// The operations of one thread, one after the other, determined by a seed alone.

#ifndef RUMCASK_TOOLS_BENCH_OPERATION_STREAM_H_
#define RUMCASK_TOOLS_BENCH_OPERATION_STREAM_H_

#include <cstdint>
#include <optional>

#include "tools/bench/permutation.h"
#include "tools/bench/random.h"
#include "tools/bench/value_sizes.h"
#include "tools/bench/workload.h"
#include "tools/bench/zipf.h"

namespace rumcask::bench {

enum class OperationKind : uint8_t {
  kRead,
  kReadMissing,
  kUpdate,
  kInsert,
  kScan,
  kReadModifyWrite,
  kDelete,
};

struct Operation {
  OperationKind kind;
  uint64_t number;  // number of the key
  uint64_t size;    // bytes of the value to write, or number of entries to read
};

// The same arguments give the same operations, whatever other threads and stores do. The streams of
// two threads never insert the same key, and in permuted or sequential order they share no key
// unless the keys are used up.
class OperationStream {
 public:
  // The stream for thread number `thread` of `threads`.
  OperationStream(const Workload& workload, const ValueSizes& sizes, uint64_t seed, int thread,
                  int threads);

  // The number of operations of this thread; UINT64_MAX if it runs for a given time.
  uint64_t length() const { return length_; }

  // False if there are no more operations.
  bool Next(Operation* operation);

  // A digest of all operations so far, in their order. Equal work has equal digests.
  uint64_t work() const { return work_; }
  uint64_t taken() const { return taken_; }

 private:
  OperationKind NextKind();
  uint64_t NextNumber();

  const Workload workload_;
  const ValueSizes sizes_;
  const uint64_t thread_;
  const uint64_t threads_;
  uint64_t length_;
  bool one_kind_;
  Random random_;
  Permutation permutation_;
  std::optional<ScrambledZipf> scrambled_;
  std::optional<Zipf> latest_;
  uint64_t taken_ = 0;
  uint64_t inserted_ = 0;
  uint64_t work_ = 0;
};

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_OPERATION_STREAM_H_
