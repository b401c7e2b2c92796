#include "tools/bench/live_keys.h"

#include <cstddef>
#include <cstdint>

#include "tools/bench/operation_stream.h"

namespace rumcask::bench {

void LiveKeys::Clear() {
  live_.clear();
  count_ = 0;
}

void LiveKeys::Fill(uint64_t keys) {
  live_.assign(keys, true);
  count_ = keys;
}

void LiveKeys::Set(uint64_t number, bool live) {
  if (number >= live_.size()) {
    if (!live) return;
    live_.resize(number + 1);
  }
  if (live_[number] == live) return;
  live_[number] = live;
  count_ += live ? 1 : uint64_t{0} - 1;
}

void LiveKeys::Apply(const Workload& workload, const ValueSizes& sizes, uint64_t seed,
                     const Taken& taken) {
  if (workload.action == Workload::Action::kQueue) return Clear();
  for (size_t thread = 0; thread < taken.size(); ++thread) {
    OperationStream stream(workload, sizes, seed, static_cast<int>(thread),
                           static_cast<int>(taken.size()));
    Operation operation;
    for (uint64_t i = 0; i < taken[thread] && stream.Next(&operation); ++i) {
      switch (operation.kind) {
        case OperationKind::kUpdate:
        case OperationKind::kInsert:
        case OperationKind::kReadModifyWrite:
          Set(operation.number, true);
          break;
        case OperationKind::kDelete:
          Set(operation.number, false);
          break;
        default:
          break;
      }
    }
  }
}

}  // namespace rumcask::bench
