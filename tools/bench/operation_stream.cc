#include "tools/bench/operation_stream.h"

#include <algorithm>
#include <cstdint>

namespace rumcask::bench {
namespace {

uint64_t ShareOf(uint64_t operations, uint64_t thread, uint64_t threads) {
  return operations / threads + (thread < operations % threads ? 1 : 0);
}

}  // namespace

OperationStream::OperationStream(const Workload& workload, const ValueSizes& sizes, uint64_t seed,
                                 int thread, int threads)
    : workload_(workload),
      sizes_(sizes),
      thread_(static_cast<uint64_t>(thread)),
      threads_(static_cast<uint64_t>(threads)),
      length_(workload.seconds > 0 ? UINT64_MAX : ShareOf(workload.operations, thread_, threads_)),
      random_(Scatter(Scatter(seed) + thread_)),
      permutation_(std::max<uint64_t>(workload.keys, 1), seed) {
  const double shares[] = {
      workload.reads, workload.missing_reads, workload.updates,           workload.inserts,
      workload.scans, workload.deletes,       workload.read_modify_writes};
  one_kind_ = *std::max_element(std::begin(shares), std::end(shares)) >= 1;
  const uint64_t keys = std::max<uint64_t>(workload.keys, 1);
  if (workload.order == KeyOrder::kZipfian) scrambled_.emplace(keys, workload.theta);
  if (workload.order == KeyOrder::kLatest) latest_.emplace(keys, workload.theta);
}

OperationKind OperationStream::NextKind() {
  double left = one_kind_ ? 0.5 : random_.NextDouble();
  const auto taken = [&left](double share) {
    left -= share;
    return left < 0;
  };
  if (taken(workload_.reads)) return OperationKind::kRead;
  if (taken(workload_.updates)) return OperationKind::kUpdate;
  if (taken(workload_.missing_reads)) return OperationKind::kReadMissing;
  if (taken(workload_.inserts)) return OperationKind::kInsert;
  if (taken(workload_.scans)) return OperationKind::kScan;
  if (taken(workload_.deletes)) return OperationKind::kDelete;
  if (workload_.read_modify_writes > 0) return OperationKind::kReadModifyWrite;
  // The shares add up to a little less than 1.
  return workload_.reads > 0 ? OperationKind::kRead : OperationKind::kUpdate;
}

uint64_t OperationStream::NextNumber() {
  const uint64_t keys = std::max<uint64_t>(workload_.keys, 1);
  const uint64_t place = ((taken_ - 1) * threads_ + thread_) % keys;
  switch (workload_.order) {
    case KeyOrder::kSequential:
      return place;
    case KeyOrder::kPermuted:
      return permutation_(place);
    case KeyOrder::kUniform:
      return random_.Below(keys);
    case KeyOrder::kZipfian:
      return scrambled_->Next(&random_);
    case KeyOrder::kLatest: {
      const uint64_t age = latest_->Next(&random_);
      // The newest keys are this thread's own; what other threads insert meanwhile is not
      // considered.
      if (age < inserted_) return keys + (inserted_ - 1 - age) * threads_ + thread_;
      return keys - 1 - (age - inserted_);
    }
  }
  return 0;
}

bool OperationStream::Next(Operation* operation) {
  if (taken_ == length_) return false;
  ++taken_;
  operation->kind = NextKind();
  operation->size = 0;
  switch (operation->kind) {
    case OperationKind::kInsert:
      operation->number = workload_.keys + inserted_ * threads_ + thread_;
      ++inserted_;
      if (latest_.has_value()) latest_->Grow();
      operation->size = sizes_.Next(&random_);
      break;
    case OperationKind::kUpdate:
    case OperationKind::kReadModifyWrite:
      operation->number = NextNumber();
      operation->size = sizes_.Next(&random_);
      break;
    case OperationKind::kScan:
      operation->number = NextNumber();
      operation->size = workload_.min_scan_length +
                        random_.Below(workload_.max_scan_length - workload_.min_scan_length + 1);
      break;
    default:
      operation->number = NextNumber();
      break;
  }
  work_ = (work_ ^ operation->number ^ operation->size << 40 ^
           static_cast<uint64_t>(operation->kind) << 32) *
          0x9e3779b97f4a7c15;
  work_ ^= work_ >> 29;
  return true;
}

}  // namespace rumcask::bench
