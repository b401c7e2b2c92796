// What compaction asks of the log: survivors, fences, and changes of the live set. And what a
// checkpoint asks.

#include <memory>
#include <utility>
#include <vector>

#include "core/log/log.h"
#include "core/system/seeded_bug.h"

namespace rumcask {

absl::StatusOr<NewSurvivor> Log::CreateSurvivor() {
  uint64_t id = 0;
  {
    MutexLock lock(write_mutex_);
    id = stream_.DrawId();
  }
  return factory_.CreateSurvivor(id);
}

void Log::FinishSurvivor(NewSurvivor* survivor, const Trailer& trailer) {
  factory_.FinishSurvivor(survivor, trailer);
  survivor->segment->sealed_at.store(durable_sequence(), std::memory_order_relaxed);
}

Log::LiveSegments Log::ListLive() {
  LiveSegments live;
  {
    MutexLock lock(write_mutex_);
    live.highest_id = stream_.next_id() - 1;
    for (const uint64_t id : stream_.UnbornIds()) {
      live.by_id[id] = {id, Stream::kUser, /*sealed=*/false, /*end=*/0};
    }
  }
  // What is born since then has a higher id, or was listed above.
  bool user_sealed = true;
  for (const std::shared_ptr<Segment>& segment : Segments()) {
    if (segment->id() > live.highest_id) continue;
    bool sealed = segment->sealed.load(std::memory_order_acquire);
    // As at a clean close. What is durable without a footer is vouched for by its numbers.
    if (segment->stream() == Stream::kUser) sealed = user_sealed = user_sealed && sealed;
    live.by_id[segment->id()] = {segment->id(), segment->stream(), sealed,
                                 sealed ? segment->end() : 0};
  }
  return live;
}

absl::Status Log::TurnOver(const LiveSegments& live, uint64_t horizon) {
  std::vector<LiveSet::LiveSegment> list;
  list.reserve(live.by_id.size());
  for (const auto& [id, segment] : live.by_id) list.push_back(segment);
  bool final = false;
  absl::Status status =
      live_set_.TurnOver(list, live.highest_id, durable_sequence(), horizon, &final);
  if (status.ok()) return status;
  if (!final) return status_.Explained(std::move(status));
  status_.Fail(std::move(status));
  return this->status();
}

absl::Status Log::Adopt(const std::vector<std::shared_ptr<Segment>>& survivors) {
  // Before anything refers to the files.
  absl::Status status;
  if (!SeededBug("survivor-entry-not-synced")) status = directory_->Sync();
  if (!status.ok()) {
    status_.Fail(std::move(status));
    return this->status();
  }
  LiveSegments live = ListLive();
  for (const std::shared_ptr<Segment>& survivor : survivors) {
    live.by_id[survivor->id()] = {survivor->id(), Stream::kSurvivor, /*sealed=*/true,
                                  survivor->end()};
  }
  if (!SeededBug("survivors-not-adopted")) status = TurnOver(live, /*horizon=*/0);
  if (!status.ok()) return status;
  for (const std::shared_ptr<Segment>& survivor : survivors) table_.Add(survivor);
  return absl::OkStatus();
}

absl::Status Log::Retire(const std::vector<std::shared_ptr<Segment>>& victims, uint64_t fence) {
  LiveSegments live = ListLive();
  for (const std::shared_ptr<Segment>& victim : victims) live.by_id.erase(victim->id());
  const auto unlink = [&] {
    absl::Status status;
    for (const std::shared_ptr<Segment>& victim : victims) {
      absl::Status unlinked = directory_->Unlink(victim->name());
      if (status.ok()) status = std::move(unlinked);
    }
    return status;
  };
  if (SeededBug("victim-unlinked-first")) (void)unlink();
  absl::Status status = TurnOver(live, fence);
  if (!status.ok()) return status;
  for (const std::shared_ptr<Segment>& victim : victims) table_.Remove(*victim);
  // What stays is dead, as MANIFEST does not list it, and goes at the next opening.
  if (!SeededBug("victim-unlinked-first")) status = unlink();
  HoldReserve();
  return status;
}

Log::Captured Log::Capture() {
  Captured state;
  uint64_t active_id = 0;
  uint64_t active_end = 0;
  {
    MutexLock lock(write_mutex_);
    state.last_sequence = last_sequence_;
    state.next_sequence = next_sequence_;
    state.highest_id = stream_.next_id() - 1;
    if (const SegmentWriter* const active = stream_.active()) {
      active_id = active->segment()->id();
      active_end = active->segment()->end();
    }
  }
  for (std::shared_ptr<Segment>& segment : Segments()) {
    const uint64_t id = segment->id();
    // What is born since then may have later records. A survivor with a lower id has none: what is
    // copied into it was durable before it got its id.
    if (segment->stream() == Stream::kUser ? active_id != 0 && id > active_id
                                           : id > state.highest_id) {
      continue;
    }
    // All but the active one were full.
    const bool is_active = id == active_id;
    const bool sealed = !is_active && segment->sealed.load(std::memory_order_acquire);
    const uint64_t end = is_active ? active_end : segment->end();
    state.pieces.push_back({std::move(segment), sealed, end});
  }
  state.manifest = live_set_.Copy();
  return state;
}

}  // namespace rumcask
