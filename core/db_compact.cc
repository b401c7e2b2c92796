// Compaction.

#include <vector>

#include "core/compaction/compactor.h"
#include "core/db.h"
#include "core/store.h"

namespace rumcask {
namespace {

absl::Status Compact(Store* store, uint64_t bytes, bool all, CompactionReport* report) {
  CompactionReport done;
  absl::Status status = store->CheckWritable();
  if (status.ok()) status = store->log_.status();
  if (status.ok()) {
    status = store->index_.status();
    // An index that is short of room for now is tried again.
    if (absl::IsResourceExhausted(status)) status = absl::OkStatus();
  }
  // What recovery found is committed before anything is moved.
  if (status.ok() && !store->log_.is_begun()) status = store->log_.BeginWriting();
  if (status.ok()) {
    std::vector<absl::Status> damages;
    if (!store->log_.space().exact()) {
      status = store->compactor_->CountLive(store->options_.keystore->traits.ordered);
    }
    if (status.ok()) status = store->compactor_->Compact(bytes, all, &done, &damages);
    for (absl::Status& damage : damages) (void)store->Report(std::move(damage));
    store->log_.TellListener();
    Listener* const listener = store->options_.listener.get();
    if (listener != nullptr && done.retired_segments + done.copied_records > 0) {
      listener->OnCompaction(done);
    }
  }
  if (report != nullptr) *report = done;
  return status;
}

}  // namespace

absl::Status DB::PauseCompaction() {
  absl::Status status = store_->CheckWritable();
  if (status.ok()) store_->controller_->Pause();
  return status;
}

absl::Status DB::ResumeCompaction() {
  absl::Status status = store_->CheckWritable();
  if (status.ok()) store_->controller_->Resume();
  return status;
}

absl::Status DB::CompactSome(uint64_t bytes, CompactionReport* report) {
  return Compact(store_.get(), bytes, /*all=*/false, report);
}

absl::Status DB::CompactAll(CompactionReport* report) {
  return Compact(store_.get(), /*bytes=*/0, /*all=*/true, report);
}

}  // namespace rumcask
