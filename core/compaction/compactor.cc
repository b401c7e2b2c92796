#include "core/compaction/compactor.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <unordered_map>
#include <utility>

#include "core/compaction/victims.h"
#include "core/system/reader_epoch.h"
#include "core/system/seeded_bug.h"

namespace rumcask {
namespace {

// A job copies at least one segment's worth, if there is so much, and reads no more victims than
// this: what it holds in memory grows with them.
constexpr size_t kMostVictims = 16;

// `CompactAll` ends the active segment for so many dead bytes, so that next to nothing stays.
constexpr uint64_t kLeastDeadOfActive = 4096;

// For a fence, MANIFEST and some pages of an index.
constexpr uint64_t kLeastRest = uint64_t{128} << 10;

// How long retiring waits for readers before the segments go on the waiting list, and how often it
// looks meanwhile.
constexpr std::chrono::milliseconds kPatience(100);
constexpr std::chrono::microseconds kPause(200);

absl::Status Closed() { return absl::FailedPreconditionError("database is closed"); }

absl::Status TooLarge() {
  return absl::ResourceExhaustedError(
      "there is no room on the disk for the live records of some segments, which were left");
}

bool WaitForReaders() {
  if (SeededBug("readers-not-awaited")) return true;
  const uint64_t epoch = ReaderEpoch::Begin();
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!ReaderEpoch::HasPassed(epoch)) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(kPause);
  }
  return true;
}

}  // namespace

absl::Status Compactor::Begin(Call* call) {
  while (pauses_ > 0 && !stopped_.load()) resumed_.Wait(mutex_);
  if (stopped_.load()) return Closed();
  const std::vector<std::shared_ptr<Segment>> segments = parts_.log->Segments();
  call->highest_id = segments.empty() ? 0 : segments.back()->id();
  return absl::OkStatus();
}

absl::Status Compactor::Compact(uint64_t bytes, bool all, CompactionReport* report,
                                std::vector<absl::Status>* damages) {
  *report = {};
  if (ReaderEpoch::IsReading()) {
    return absl::FailedPreconditionError("called while this thread reads, as from a listener");
  }
  // Sealing and syncing would tell the listener, which may call for a compaction itself.
  const LogStatus::Quiet quiet;
  MutexLock lock(mutex_);
  Call call;
  call.selection.all = all;
  absl::Status status = Begin(&call);
  // Why not all could be compacted, if so.
  absl::Status left;
  if (status.ok() && all) {
    bool ended = false;
    status = EndActiveLocked(kLeastDeadOfActive, /*with_tombstones=*/true, &ended);
    // On a full disk the sealed ones are compacted all the same.
    if (absl::IsResourceExhausted(status) && parts_.index->status().ok()) std::swap(status, left);
    // The segment that was ended belongs to the call.
    if (status.ok() && ended) status = Begin(&call);
  }
  if (!status.ok()) return status;
  status = RetireEmptied(report);
  while (status.ok() && (all || (report->retired_bytes < report->written_bytes ||
                                 report->retired_bytes - report->written_bytes < bytes))) {
    const CompactionPlan plan = Choose(&call);
    if (plan.victims.empty()) {
      if (call.left_too_large) left = TooLarge();
      break;
    }
    bool gained = false;
    status = RunJob(plan, &call, report, damages, &gained);
  }
  if (status.ok()) status = left;
  CountWaiting(report);
  return absl::IsCancelled(status) ? Closed() : status;
}

absl::Status Compactor::CompactOnce(const Selection& selection, CompactionReport* report,
                                    std::vector<absl::Status>* damages, bool* gained) {
  *report = {};
  *gained = false;
  const LogStatus::Quiet quiet;
  MutexLock lock(mutex_);
  if (pauses_ > 0) return absl::OkStatus();
  Call call;
  call.selection = selection;
  absl::Status status = Begin(&call);
  // Copies to which an index cannot lead would be garbage, more of it with each try.
  if (status.ok() && !SeededBug("copied-without-an-index")) status = parts_.index->status();
  if (!status.ok()) return status;
  status = RetireEmptied(report);
  if (status.ok()) {
    const CompactionPlan plan = Choose(&call);
    if (!plan.victims.empty()) status = RunJob(plan, &call, report, damages, gained);
  }
  CountWaiting(report);
  return absl::IsCancelled(status) ? Closed() : status;
}

absl::Status Compactor::RetireFree(CompactionReport* report) {
  *report = {};
  const LogStatus::Quiet quiet;
  MutexLock lock(mutex_);
  if (stopped_.load()) return Closed();
  if (pauses_ > 0) return absl::OkStatus();
  absl::Status status = RetireEmptied(report);
  CountWaiting(report);
  return status;
}

absl::Status Compactor::BringIndexUpToDate() {
  const LogStatus::Quiet quiet;
  MutexLock lock(mutex_);
  return stopped_.load() ? Closed() : FenceIndex();
}

absl::Status Compactor::FenceIndex() {
  {
    MutexLock lock(parts_.log->write_mutex());
    if (parts_.log->last_sequence() == fenced_through_) return absl::OkStatus();
  }
  NewRecord fence;
  absl::Status status = AppendFence(parts_, &fence, /*ends_segment=*/false);
  if (status.ok()) status = parts_.index->WaitApplied(fence.header.sequence);
  if (status.ok()) fenced_through_ = fence.header.sequence;
  return status;
}

absl::Status Compactor::EndActive(uint64_t least_dead, bool* ended) {
  const LogStatus::Quiet quiet;
  MutexLock lock(mutex_);
  *ended = false;
  if (pauses_ > 0) return absl::OkStatus();
  return stopped_.load() ? Closed() : EndActiveLocked(least_dead, /*with_tombstones=*/false, ended);
}

absl::Status Compactor::EndActiveLocked(uint64_t least_dead, bool with_tombstones, bool* ended) {
  if (parts_.before_step) parts_.before_step("end");
  uint64_t id = 0;
  uint64_t records = 0;
  const auto dead = [&]() -> uint64_t {
    MutexLock lock(parts_.log->write_mutex());
    const Segment* const active = parts_.log->active();
    if (active == nullptr) return 0;
    id = active->id();
    uint64_t stays = Space::LiveBytes(*active);
    if (!with_tombstones) stays += active->tombstone_bytes.load(std::memory_order_relaxed);
    records = active->end() - kSegmentHeaderBytes;
    return records - std::min(records, stays);
  };
  if (dead() < least_dead) {
    if (parts_.index->reports_replaced() || records < least_dead) return absl::OkStatus();
    // What the index has not taken is not known to be dead.
    absl::Status status = FenceIndex();
    if (!status.ok()) return status;
    if (dead() < least_dead) return absl::OkStatus();
  }
  NewRecord fence;
  absl::Status status = AppendFence(parts_, &fence, /*ends_segment=*/true);
  if (status.ok()) status = parts_.log->WaitDurable(fence.header.sequence);
  for (const std::shared_ptr<Segment>& segment : parts_.log->Segments()) {
    // Without room for its footer it stays as it is.
    if (segment->id() == id) *ended = segment->sealed.load(std::memory_order_acquire);
  }
  return status;
}

absl::Status Compactor::CountLive(bool ordered) {
  MutexLock lock(mutex_);
  absl::Status status =
      CountLiveBytes(parts_.keystore, ordered, parts_.log, stopped_, parts_.before_step);
  if (!status.ok()) return absl::IsCancelled(status) ? Closed() : status;
  LiveBytes live;
  for (const std::shared_ptr<Segment>& segment : parts_.log->Segments()) {
    if (segment->sealed.load(std::memory_order_acquire)) {
      live[segment->id()] = Space::LiveBytes(*segment);
    }
  }
  // An older count is freed after the lock.
  MutexLock write_lock(parts_.log->write_mutex());
  parts_.index->NoteCounted(&live);
  return absl::OkStatus();
}

void Compactor::CountWaiting(CompactionReport* report) const {
  report->waiting_segments = emptied_.size();
  for (const Emptied& emptied : emptied_) {
    report->waiting_bytes += emptied.segment->allocated_bytes.load(std::memory_order_relaxed);
  }
}

Log::Captured Compactor::Capture() {
  MutexLock lock(retire_mutex_);
  Log::Captured state = parts_.log->Capture();
  for (const Log::Captured::Piece& piece : state.pieces) {
    piece.segment->pins.fetch_add(1, std::memory_order_relaxed);
  }
  return state;
}

void Compactor::Release(const Log::Captured& state) {
  for (const Log::Captured::Piece& piece : state.pieces) {
    piece.segment->pins.fetch_sub(1, std::memory_order_release);
  }
}

void Compactor::Stop() {
  stopped_.store(true);
  MutexLock lock(mutex_);
  resumed_.NotifyAll();
}

void Compactor::ChangePauses(int by) {
  MutexLock lock(mutex_);
  pauses_ += by;
  if (pauses_ == 0) resumed_.NotifyAll();
}

bool Compactor::MayTake(const Call& call, const Segment& segment) const {
  const bool durable =
      segment.sealed.load(std::memory_order_acquire) || SeededBug("victims-not-durable");
  if (!durable || segment.id() > call.highest_id || call.taken.count(segment.id()) > 0) {
    return false;
  }
  const Segment::Role role = segment.role.load(std::memory_order_relaxed);
  if (role != Segment::Role::kDamaged) return role == Segment::Role::kNone;
  // What could not be moved may have been written again meanwhile, or deleted.
  return call.selection.all ||
         (Space::LiveBytes(segment) == 0 && unreadable_.count(segment.id()) == 0);
}

CompactionPlan Compactor::Choose(Call* call) {
  if (parts_.before_step) parts_.before_step("choose");
  uint64_t newest = 0;
  {
    MutexLock lock(parts_.log->write_mutex());
    newest = parts_.log->last_sequence();
  }
  const Selection& selection = call->selection;
  const bool merges = selection.smaller_than > 0;
  const bool exact = parts_.log->space().exact();
  std::vector<VictimFigures> candidates;
  std::unordered_map<uint64_t, std::shared_ptr<Segment>> segments;
  uint64_t live_in_all = 0;
  uint64_t older = 0;
  for (const std::shared_ptr<Segment>& segment : parts_.log->Segments()) {
    const uint64_t live = Space::LiveBytes(*segment);
    const uint64_t stays = ExpectedToStay(segment.get(), older++);
    live_in_all += live;
    if (!MayTake(*call, *segment)) continue;
    VictimFigures figures;
    figures.id = segment->id();
    figures.record_bytes = segment->end() - kSegmentHeaderBytes;
    // Whether tombstones must still stay is asked of all only if everything is compacted.
    const uint64_t tombstones = segment->tombstone_bytes.load(std::memory_order_relaxed);
    figures.most_copied = std::min(figures.record_bytes, live + tombstones);
    figures.live_bytes = selection.frugal
                             ? figures.most_copied
                             : std::min(figures.record_bytes, selection.all ? live : stays);
    const uint64_t sealed_at = segment->sealed_at.load(std::memory_order_relaxed);
    figures.age = newest - std::min(newest, sealed_at);
    const uint64_t file = segment->allocated_bytes.load(std::memory_order_relaxed);
    const uint64_t dead = figures.dead_bytes();
    const bool qualifies =
        merges ? file < selection.smaller_than
               : dead >= selection.least_dead &&
                     (dead >= selection.dead_bytes ||
                      static_cast<double>(dead) >=
                          selection.dead_share * static_cast<double>(figures.record_bytes));
    if (!qualifies) continue;
    // Where live bytes are only a bound, reading the segment tells whether anything is dead.
    figures.unsure = merges || (!exact && selection.all);
    candidates.push_back(figures);
    segments[segment->id()] = segment;
  }
  OrderVictims(&candidates);
  if (selection.frugal) {
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const VictimFigures& a, const VictimFigures& b) {
                       return a.dead_per_live() > b.dead_per_live();
                     });
  }
  const uint64_t most = std::max(8 * parts_.segment_bytes, live_in_all / 16);
  // A job that ends for want of room has written in vain, and left nothing to deletes. So much is
  // left for its other steps, or at least a little if there is no other job.
  SpaceReserve& reserve = parts_.log->reserve();
  CompactionPlan plan = Plan(candidates, segments, selection, reserve.Spare(), most);
  if (plan.victims.empty()) {
    const uint64_t room = reserve.Room();
    const uint64_t rest = std::min(room, std::max(room / 8, kLeastRest));
    plan = Plan(candidates, segments, selection, room - rest, most);
  }
  plan.merges = merges;
  call->left_too_large = plan.victims.empty() && !candidates.empty();
  return plan;
}

CompactionPlan Compactor::Plan(
    const std::vector<VictimFigures>& candidates,
    const std::unordered_map<uint64_t, std::shared_ptr<Segment>>& segments,
    const Selection& selection, uint64_t room, uint64_t most) const {
  CompactionPlan plan;
  uint64_t live = 0;
  double copies = 0;
  uint64_t in_flight = 0;
  for (const VictimFigures& figures : candidates) {
    const std::shared_ptr<Segment>& segment = segments.at(figures.id);
    const uint64_t file = segment->allocated_bytes.load(std::memory_order_relaxed);
    const auto records = static_cast<double>(std::max<uint64_t>(1, figures.record_bytes));
    if (plan.victims.size() == kMostVictims || live >= parts_.segment_bytes) break;
    if (!plan.victims.empty() && in_flight + file + figures.live_bytes > most) break;
    if (!plan.victims.empty() && selection.frugal && figures.most_copied > 0) break;
    // Footers are to records what they were.
    const double copy =
        static_cast<double>(file) * static_cast<double>(figures.most_copied) / records;
    if (copies + copy > static_cast<double>(room) && !SeededBug("jobs-too-large-for-the-disk")) {
      continue;
    }
    plan.victims.push_back(segment);
    copies += copy;
    in_flight += file + figures.live_bytes;
    live += figures.live_bytes;
    plan.gain +=
        static_cast<double>(file) * (1 - static_cast<double>(figures.live_bytes) / records);
  }
  return plan;
}

absl::Status Compactor::RunJob(const CompactionPlan& plan, Call* call, CompactionReport* report,
                               std::vector<absl::Status>* damages, bool* gained) {
  const auto set_role = [](const std::shared_ptr<Segment>& segment, Segment::Role role) {
    segment->role.store(role, std::memory_order_relaxed);
  };
  for (const std::shared_ptr<Segment>& victim : plan.victims) {
    set_role(victim, Segment::Role::kVictim);
    // It is taken once in a call, whatever comes of it.
    call->taken.insert(victim->id());
  }
  running_.store(true, std::memory_order_relaxed);
  CompactionJob job(parts_, stopped_, plan);
  absl::Status status = job.Run();
  running_.store(false, std::memory_order_relaxed);
  jobs_.fetch_add(1, std::memory_order_relaxed);
  copied_records_.fetch_add(job.copied_records(), std::memory_order_relaxed);
  written_bytes_.fetch_add(job.written_bytes(), std::memory_order_relaxed);
  damages->insert(damages->end(), job.damages().begin(), job.damages().end());
  report->copied_records += job.copied_records();
  report->written_bytes += job.written_bytes();
  for (const Victim& victim : job.victims()) {
    if (victim.unreadable) unreadable_.insert(victim.segment->id());
    const bool emptied = status.ok() && !victim.stays;
    if (emptied) {
      emptied_.push_back({victim.segment, job.fence()});
      *gained = true;
    }
    set_role(victim.segment, emptied          ? Segment::Role::kEmptied
                             : victim.damaged ? Segment::Role::kDamaged
                                              : Segment::Role::kNone);
  }
  // Segments that have to wait do not count against writers either.
  parts_.gate->EndJob(status.ok() && *gained ? plan.gain : 0);
  if (status.ok()) status = RetireEmptied(report);
  for (const std::shared_ptr<Segment>& survivor : job.adopted()) {
    set_role(survivor, Segment::Role::kNone);
  }
  return status;
}

absl::Status Compactor::RetireEmptied(CompactionReport* report) {
  if (emptied_.empty()) return absl::OkStatus();
  uint64_t fence = 0;
  for (const Emptied& emptied : emptied_) fence = std::max(fence, emptied.fence);
  if (parts_.before_step) parts_.before_step("wait");
  absl::Status status;
  if (!SeededBug("fence-not-durable")) status = parts_.log->WaitDurable(fence);
  if (status.ok() && !SeededBug("index-not-awaited")) status = parts_.index->WaitApplied(fence);
  if (!status.ok()) return status;
  if (parts_.before_step) parts_.before_step("readers");
  std::vector<Emptied> free = TakeFree();
  if (free.empty()) return absl::OkStatus();
  if (parts_.before_step) parts_.before_step("retire");
  MutexLock retiring(retire_mutex_);
  // A checkpoint may have come in between.
  const auto pinned = std::partition(free.begin(), free.end(), [](const Emptied& emptied) {
    return emptied.segment->pins.load(std::memory_order_acquire) == 0 ||
           SeededBug("pins-not-asked") || SeededBug("pins-asked-once") ||
           SeededBug("pins-asked-before-readers");
  });
  emptied_.insert(emptied_.end(), pinned, free.end());
  free.erase(pinned, free.end());
  if (free.empty()) return absl::OkStatus();
  std::vector<std::shared_ptr<Segment>> retired;
  uint64_t horizon = 0;
  for (const Emptied& emptied : free) {
    retired.push_back(emptied.segment);
    horizon = std::max(horizon, emptied.fence);
  }
  status = parts_.log->Retire(retired, horizon);
  if (!status.ok() && parts_.log->SlotOf(retired.front()->id()).has_value()) {
    // They are still segments of the database.
    emptied_.insert(emptied_.end(), free.begin(), free.end());
    return status;
  }
  for (const std::shared_ptr<Segment>& segment : retired) {
    const uint64_t bytes = segment->allocated_bytes.load(std::memory_order_relaxed);
    ++report->retired_segments;
    report->retired_bytes += bytes;
    retired_segments_.fetch_add(1, std::memory_order_relaxed);
    retired_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  }
  return status;
}

std::vector<Compactor::Emptied> Compactor::TakeFree() {
  std::unordered_map<uint32_t, bool> kept;  // by slot
  for (const Emptied& emptied : emptied_) kept[emptied.segment->slot()] = false;
  const auto keep = [&](Location location) {
    if (!location.exists()) return;
    const auto found = kept.find(location.slot());
    if (found != kept.end()) found->second = true;
  };
  // In this order: a reader may have found a location among what is kept for a snapshot, just
  // before that was forgotten, and may make a pin of it.
  if (!SeededBug("snapshots-not-asked")) parts_.keystore->VisitKept(keep);
  const auto is_kept = [&](const Emptied& emptied) { return kept[emptied.segment->slot()]; };
  if (std::all_of(emptied_.begin(), emptied_.end(), is_kept)) return {};
  // What an iterator still holds of a free segment belongs to a snapshot that was given up.
  parts_.held->Replace([&](Location location) {
    if (!location.exists()) return location;
    const auto found = kept.find(location.slot());
    return found == kept.end() || found->second ? location : Location();
  });
  if (!SeededBug("pins-asked-before-readers") && !WaitForReaders()) return {};
  std::vector<Emptied> free;
  std::vector<Emptied> waiting;
  for (const Emptied& emptied : emptied_) {
    const bool pinned =
        emptied.segment->pins.load(std::memory_order_acquire) > 0 && !SeededBug("pins-not-asked");
    (is_kept(emptied) || pinned ? waiting : free).push_back(emptied);
  }
  emptied_.swap(waiting);
  if (SeededBug("pins-asked-before-readers") && !WaitForReaders()) {
    emptied_.insert(emptied_.end(), free.begin(), free.end());
    free.clear();
  }
  return free;
}

}  // namespace rumcask
