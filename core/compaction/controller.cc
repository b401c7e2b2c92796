#include "core/compaction/controller.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"

#include "core/compaction/victims.h"
#include "core/system/seeded_bug.h"

namespace rumcask {
namespace {

// How often it looks whether something has become possible.
constexpr std::chrono::milliseconds kInterval(1000);

// What only snapshots need, and what only PinnedValues do, may take so many segments beside the
// bound of what is live. A small database with a few values pinned is to notice nothing.
constexpr double kMostKeptSegments = 16;
constexpr double kMostPinnedSegments = 64;

// The pause between two tries doubles with each failure, this often at most: to a minute.
constexpr int kMostFailures = 7;

// On a full disk even this little is worth a job, which takes a few blocks itself.
constexpr double kLeastDeadShare = 1.0 / 256;
constexpr uint64_t kLeastDead = 8192;
constexpr int kMostFailuresOfFullDisk = 3;

// How long deletes wait at once for compaction to make room on a full disk, and how long if it does
// nothing.
constexpr std::chrono::milliseconds kReliefWait(5);
constexpr int kMostReliefWaits = 1000;
constexpr int kMostIdleWaits = 100;
constexpr int kWaitsPerLook = 20;

// So many small segments are merged at once.
constexpr size_t kFewestSmall = 8;

int LocalHour() {
  const std::time_t now = std::time(nullptr);
  std::tm local = {};
  return localtime_r(&now, &local) == nullptr ? 0 : local.tm_hour;
}

}  // namespace

bool CompactionPolicy::IsIn(int hour) const {
  if (windows.empty()) return true;
  return std::any_of(windows.begin(), windows.end(), [hour](const Hours& window) {
    return window.begin <= window.end ? window.begin <= hour && hour < window.end
                                      : window.begin <= hour || hour < window.end;
  });
}

void CompactionController::Start() {
  gate_->Watch([this] { return Wake(); });
  // The first writer wakes. However late the thread begins, no more is written than there is room.
  Room room = RoomIn(MeasureSpace(*log_));
  room.wake_below = std::numeric_limits<double>::max();
  gate_->SetRoom(room);
}

absl::Status CompactionController::Wake() {
  // Starting does nothing if it has been started.
  absl::Status status;
  if (events_.on_job) {
    status = teller_.Start(std::chrono::milliseconds(0), [this](bool) { Deliver(); });
  }
  if (!status.ok()) return status;
  status = thread_.Start(kInterval, [this](bool timed_out) { Work(timed_out); });
  if (status.ok()) thread_.Wake();
  return status;
}

void CompactionController::Stop() {
  stopped_.store(true, std::memory_order_release);
  // After this nobody wakes, and so starts, the thread.
  gate_->Close();
  compactor_->Stop();
  thread_.Stop();
  teller_.Stop();
  Deliver();
}

void CompactionController::Tell(std::function<void()> event) {
  if (!events_.on_job) return;
  {
    MutexLock lock(events_mutex_);
    pending_events_.push_back(std::move(event));
  }
  teller_.Wake();
}

void CompactionController::Deliver() {
  log_->TellListener();
  std::vector<std::function<void()>> events;
  {
    MutexLock lock(events_mutex_);
    events.swap(pending_events_);
  }
  for (const std::function<void()>& event : events) event();
}

void CompactionController::Pause() {
  paused_.store(true, std::memory_order_release);
  gate_->Open();
  MutexLock lock(working_);
}

void CompactionController::Resume() {
  paused_.store(false, std::memory_order_release);
  {
    MutexLock lock(working_);
    failures_ = rounds_to_skip_ = 0;
  }
  gate_->Rearm();
  thread_.Wake();
}

void CompactionController::AwaitRelief() {
  int idle = 0;
  for (int waits = 0; waits < kMostReliefWaits; ++waits) {
    const uint64_t died = log_->space().died();
    if (!log_->reserve().IsLow() || died < waits_from_.load() || paused_.load() ||
        SeededBug("deletes-take-all")) {
      return;
    }
    if (idle == kMostIdleWaits) {
      // What it could do is done. There is more to be had when more has died.
      waits_from_.store(died + policy_.segment_bytes);
      return;
    }
    // Where nobody compacts, there is nothing to wait for.
    if (waits % kWaitsPerLook == 0 && !gate_->Wake()) return;
    std::this_thread::sleep_for(kReliefWait);
    idle = works_.load() ? 0 : idle + 1;
  }
  // It takes long, and not everybody is to wait so long for it.
  waits_from_.store(log_->space().died() + policy_.segment_bytes / 16);
}

bool CompactionController::IsWorthALook() const {
  return unfinished_ || log_->reserve().is_full() || log_->space().died() != last_.died ||
         log_->space().born() != last_.born || log_->seal_count() != seals_ || LocalHour() != hour_;
}

void CompactionController::Work(bool timed_out) {
  MutexLock lock(working_);
  works_.store(true);
  Look(timed_out);
  works_.store(false);
}

void CompactionController::Look(bool timed_out) {
  // After a failure only time brings the next try. Writers are let through until then.
  if (failures_ > 0 && !timed_out) return;
  if (rounds_to_skip_ > 0) {
    --rounds_to_skip_;
    return;
  }
  if (timed_out && !IsWorthALook()) return;
  bool again = true;
  while (again && !stopped_.load(std::memory_order_acquire)) {
    if (paused_.load(std::memory_order_acquire)) {
      gate_->Open();
      unfinished_ = true;
      return;
    }
    absl::Status status = Round(&again);
    if (status.ok()) {
      last_error_.clear();
      failures_ = 0;
      continue;
    }
    // Writers are not to pay for it. It is tried again after a while, and ever more seldom: each
    // time much may be copied in vain.
    gate_->Open();
    unfinished_ = true;
    // Where only room is missing, somebody else may make some at any time.
    failures_ = std::min(
        failures_ + 1, absl::IsResourceExhausted(status) ? kMostFailuresOfFullDisk : kMostFailures);
    rounds_to_skip_ = (1 << (failures_ - 1)) - 1;
    if (stopped_.load(std::memory_order_acquire)) return;
    if (std::exchange(last_error_, std::string(status.message())) != status.message()) {
      Tell([this, status] { events_.on_error(status); });
    }
    return;
  }
}

Room CompactionController::RoomIn(const SpaceMeasurement& now) const {
  const auto segment = static_cast<double>(policy_.segment_bytes);
  Room room;
  room.born = now.born;
  room.died = now.died;
  room.amplification = policy_.max_space_amplification;
  room.file_bytes_per_record_byte = now.file_bytes_per_record_byte;
  // One segment less than is allowed, as the active one grows while writers wait for others.
  room.bytes = policy_.max_space_amplification * (now.live_bytes - now.assumed_bytes) +
               Allowance() - segment - now.file_bytes;
  room.wake_below = 2 * segment;
  return room;
}

absl::Status CompactionController::Measure(Room* room, SpaceMeasurement* now) {
  const auto segment = static_cast<double>(policy_.segment_bytes);
  const bool exact = log_->space().exact();
  counted_ = counted_ || log_->space().counted();
  *now = MeasureSpace(*log_);
  *room = RoomIn(*now);
  last_ = *now;
  log_->space().NoteAverage(static_cast<uint64_t>(now->average_record_bytes));
  absl::Status status;
  if (!exact && !counted_) {
    // Nothing is known since the opening, and a walk over the whole index may take long.
    gate_->Open();
    status = compactor_->CountLive(policy_.ordered);
    counted_ = status.ok();
  } else {
    const bool is_full = log_->reserve().is_full();
    // A walk is worth it for what it may find. A single delete may have been of much.
    const double worth = is_full ? 1 : exact ? segment : std::max(segment, now->live_bytes / 16);
    if ((!is_full && room->bytes >= room->wake_below) || now->assumed_bytes < worth) {
      return absl::OkStatus();
    }
    status = exact ? compactor_->BringIndexUpToDate() : compactor_->CountLive(policy_.ordered);
  }
  if (!status.ok()) return status;
  *now = MeasureSpace(*log_);
  *room = RoomIn(*now);
  last_ = *now;
  return absl::OkStatus();
}

bool CompactionController::BoundPinned(const SpaceMeasurement& now) {
  const double live = policy_.max_space_amplification * now.live_bytes;
  const auto segment = static_cast<double>(policy_.segment_bytes);
  if (now.emptied_bytes <= live + kMostKeptSegments * segment ||
      SeededBug("pinned-space-unbounded")) {
    return true;
  }
  unfinished_ = true;
  if (keystore_->GetSnapshotUsage().open > 0) {
    // What the last one kept is forgotten little by little, and its segments go in a later round.
    const auto time = std::chrono::steady_clock::now();
    if (time - gave_up_at_ < kInterval) return true;
    gave_up_at_ = time;
    if (keystore_->GiveUpOldestSnapshot()) return true;
  }
  if (now.pinned_bytes <= live + kMostPinnedSegments * segment) return true;
  gate_->Refuse(absl::ResourceExhaustedError(absl::StrCat(
      "PinnedValues or checkpoints hold ", static_cast<uint64_t>(now.pinned_bytes),
      " bytes of segments of which nothing else is needed; writing goes on when they are gone")));
  return false;
}

bool CompactionController::Decide(const Room& room, Selection* selection) {
  relieving_ = log_->reserve().TakeFull() || relieving_;
  if (relieving_) {
    selection->dead_share = kLeastDeadShare;
    selection->least_dead = std::min(kLeastDead, policy_.segment_bytes / 16);
    selection->frugal = log_->reserve().is_spent();
    return true;
  }
  const bool in_window = policy_.IsIn(hour_) || SeededBug("window-ignored");
  const auto segment = static_cast<double>(policy_.segment_bytes);
  // Early enough that writers need not wait, unless they are faster than compaction. Outside the
  // windows only when they soon will. Where it takes a walk over the index to know what is dead, so
  // much room is made that it need not be taken often.
  const double enough = in_window ? 2 * segment : segment;
  making_room_ = room.bytes < enough || (making_room_ && !log_->space().exact() &&
                                         room.bytes < enough + last_.live_bytes / 8);
  if (making_room_) return true;
  if (!in_window) return false;
  size_t small = 0;
  bool triggered = false;
  uint64_t older = 0;
  for (const std::shared_ptr<Segment>& one : log_->Segments()) {
    const uint64_t stays = ExpectedToStay(one.get(), older++);
    if (!one->sealed.load(std::memory_order_acquire) ||
        one->role.load(std::memory_order_relaxed) != Segment::Role::kNone) {
      continue;
    }
    const uint64_t records = one->end() - kSegmentHeaderBytes;
    const uint64_t dead = records - std::min(records, stays);
    triggered =
        triggered || (dead > 0 && (dead >= policy_.trigger_dead_bytes ||
                                   static_cast<double>(dead) >=
                                       policy_.trigger_dead_share * static_cast<double>(records)));
    if (one->allocated_bytes.load(std::memory_order_relaxed) < policy_.small_segment_bytes) {
      ++small;
    }
  }
  if (triggered) {
    selection->dead_share = std::min(policy_.trigger_dead_share, policy_.qualifying_dead_share);
    selection->dead_bytes = std::min(policy_.trigger_dead_bytes, policy_.qualifying_dead_bytes);
    return true;
  }
  selection->smaller_than = policy_.small_segment_bytes;
  return small >= kFewestSmall;
}

absl::Status CompactionController::Round(bool* again) {
  *again = false;
  unfinished_ = false;
  seals_ = log_->seal_count();
  hour_ = LocalHour();
  Room room;
  if (!log_->is_begun()) {
    // The first writer is about to do that. Some write after it comes back here.
    room.born = log_->space().born();
    room.died = log_->space().died();
    room.bytes = 4096;
    room.wake_below = 1;
    gate_->SetRoom(room);
    return absl::OkStatus();
  }
  SpaceMeasurement now;
  absl::Status status = Measure(&room, &now);
  if (!status.ok()) return status;
  const bool accepts = BoundPinned(now);
  if (accepts) gate_->SetRoom(room);
  Selection selection;
  const bool runs = Decide(room, &selection);
  CompactionReport report;
  std::vector<absl::Status> damages;
  bool gained = false;
  bool ended = false;
  if (runs) {
    status = compactor_->CompactOnce(selection, &report, &damages, &gained);
    // Tombstones are what is left, and some of them may go.
    if (status.ok() && !gained && report.retired_segments == 0 && room.bytes <= 0 &&
        !selection.frugal) {
      selection.all = true;
      status = compactor_->CompactOnce(selection, &report, &damages, &gained);
      gained = gained && report.retired_bytes > report.written_bytes;
    }
    // What is left is in the segment that is written, and nobody who adds may write on to its end.
    if (status.ok() && !gained && report.retired_segments == 0 && relieving_) {
      status = compactor_->EndActive(policy_.segment_bytes / 16, &ended);
    }
  } else if (now.emptied_bytes > 0) {
    status = compactor_->RetireFree(&report);
  }
  for (const absl::Status& damage : damages) {
    Tell([this, damage] { events_.on_damage(damage); });
  }
  if (gained || report.retired_segments > 0) {
    Tell([this, report] { events_.on_job(report); });
  } else if (runs) {
    // The log may have events of its own.
    teller_.Wake();
  }
  unfinished_ = unfinished_ || report.waiting_segments > 0;
  if (!status.ok()) return status;
  *again = gained || ended || report.retired_segments > 0;
  // On a full disk what comes back must be more than what is written, or it would never end.
  if (relieving_ && report.retired_bytes <= report.written_bytes) *again = ended;
  relieving_ = relieving_ && *again;
  if (!runs || *again || !accepts) return absl::OkStatus();
  // There is nothing to gain: what is dead is in segments that are still written, or it waits. If
  // writers waited for that they might wait for ever.
  room.bytes = std::max(room.bytes, static_cast<double>(policy_.segment_bytes) / 4);
  room.wake_below = std::min(room.wake_below, room.bytes / 2);
  gate_->SetRoom(room);
  return absl::OkStatus();
}

}  // namespace rumcask
