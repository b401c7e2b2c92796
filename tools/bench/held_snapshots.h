// The snapshots that one thread of a benchmark holds.

#ifndef RUMCASK_TOOLS_BENCH_HELD_SNAPSHOTS_H_
#define RUMCASK_TOOLS_BENCH_HELD_SNAPSHOTS_H_

#include <cstdint>
#include <deque>
#include <memory>

#include "absl/status/status.h"

#include "tools/bench/engine.h"
#include "tools/bench/workload.h"

namespace rumcask::bench {

class HeldSnapshots {
 public:
  // `calls` is the number of calls. If it is UINT64_MAX, it is not known, and all calls count as
  // the first half.
  HeldSnapshots(const Workload::Snapshots& plan, uint64_t calls) : plan_(plan), calls_(calls) {}

  // To be called before and after each call of the store.
  absl::Status Before(Engine* engine);
  void After() { brief_.reset(); }

 private:
  using Snapshot = std::shared_ptr<const void>;

  static absl::Status Take(Engine* engine, Snapshot* snapshot);

  const Workload::Snapshots plan_;
  const uint64_t calls_;
  uint64_t call_ = 0;
  Snapshot brief_;
  std::deque<Snapshot> held_;  // oldest first
};

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_HELD_SNAPSHOTS_H_
