#include "tools/bench/held_snapshots.h"

#include <utility>

#include "absl/status/statusor.h"

namespace rumcask::bench {

absl::Status HeldSnapshots::Take(Engine* engine, Snapshot* snapshot) {
  absl::StatusOr<Snapshot> taken = engine->TakeSnapshot();
  if (!taken.ok()) return taken.status();
  *snapshot = *std::move(taken);
  return absl::OkStatus();
}

absl::Status HeldSnapshots::Before(Engine* engine) {
  const uint64_t call = call_++;
  absl::Status status;
  if (plan_.long_each > 0 && call % plan_.long_each == 0) {
    held_.emplace_back();
    status = Take(engine, &held_.back());
    if (!status.ok()) return status;
    if (call < calls_ / 2 && held_.size() > plan_.held) held_.pop_front();
  }
  if (plan_.brief_each > 0 && call % plan_.brief_each == 0) status = Take(engine, &brief_);
  return status;
}

}  // namespace rumcask::bench
