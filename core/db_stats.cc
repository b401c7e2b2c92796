// The figures of an open database.

#include <memory>

#include "core/db.h"
#include "core/stats.h"
#include "core/store.h"

namespace rumcask {

Stats DB::GetStats() const {
  Stats stats;
  if (store_->in_forked_child()) return stats;
  stats.keystore = store_->options_.keystore->traits.name;
  stats.keys = store_->keystore_->KeyCount();
  stats.index_bytes = store_->keystore_->MemoryBytes();
  const IndexGate::Figures index = store_->index_.Describe();
  stats.keys_exact = index.keys_exact;
  stats.index_file_bytes = index.file_bytes;
  stats.index_version = index.durable_through;
  stats.index_rebuilt = store_->index_rebuilt_;
  stats.live_bytes_exact = store_->log_.space().exact();
  const SnapshotUsage snapshots = store_->keystore_->GetSnapshotUsage();
  stats.snapshots = snapshots.open;
  stats.undo_bytes = snapshots.undo_bytes;
  for (const std::shared_ptr<Segment>& segment : store_->log_.Segments()) {
    SegmentStats s;
    s.id = segment->id();
    s.sealed = segment->sealed.load(std::memory_order_relaxed);
    s.file_bytes = segment->allocated_bytes.load(std::memory_order_relaxed);
    s.log_bytes = segment->end() - kSegmentHeaderBytes;
    s.live_bytes = Space::LiveBytes(*segment);
    s.records = segment->records.load(std::memory_order_relaxed);
    s.pins = segment->pins.load(std::memory_order_relaxed);
    stats.log_bytes += s.log_bytes;
    stats.live_bytes += s.live_bytes;
    stats.file_bytes += s.file_bytes;
    stats.pins += s.pins;
    if (!s.sealed) stats.active_bytes += s.file_bytes;
    switch (segment->role.load(std::memory_order_relaxed)) {
      case Segment::Role::kNone:
        break;
      case Segment::Role::kVictim:
      case Segment::Role::kSurvivor:
        s.state = SegmentStats::State::kInFlight;
        stats.in_flight_bytes += s.file_bytes;
        break;
      case Segment::Role::kEmptied:
        s.state = SegmentStats::State::kWaiting;
        stats.waiting_bytes += s.file_bytes;
        if (s.pins > 0) stats.pinned_bytes += s.file_bytes;
        break;
      case Segment::Role::kDamaged:
        s.state = SegmentStats::State::kDamaged;
        stats.damaged_bytes += s.file_bytes;
        break;
    }
    stats.segments.push_back(s);
  }
  {
    MutexLock lock(store_->log_.write_mutex());
    stats.last_version = store_->log_.last_sequence();
    stats.prepared_bytes = store_->log_.prepared_bytes();
  }
  stats.file_bytes += stats.prepared_bytes;
  stats.reserve_bytes = store_->log_.reserve().bytes();
  if (store_->compactor_ != nullptr) {
    const Compactor::Totals totals = store_->compactor_->totals();
    stats.compaction.running = totals.running;
    stats.compaction.jobs = totals.jobs;
    stats.compaction.copied_records = totals.copied_records;
    stats.compaction.written_bytes = totals.written_bytes;
    stats.compaction.retired_segments = totals.retired_segments;
    stats.compaction.retired_bytes = totals.retired_bytes;
    stats.compaction.writer_waits = store_->gate_.waits();
  }
  stats.durable_version = store_->log_.durable_sequence();
  stats.puts = store_->puts_.load(std::memory_order_relaxed);
  stats.deletes = store_->deletes_.load(std::memory_order_relaxed);
  stats.syncs = store_->log_.sync_count();
  stats.sealed_segments = store_->log_.seal_count();
  stats.recovery = store_->recovery_;
  return stats;
}

}  // namespace rumcask
