#include "core/compaction/job.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

#include "core/compaction/survivor_writer.h"
#include "core/segment/record_cursor.h"
#include "core/segment/segment_file.h"
#include "core/system/reader_epoch.h"
#include "core/system/seeded_bug.h"

namespace rumcask {
namespace {

// Keys that are moved under one hold of the write lock.
constexpr size_t kMovedAtOnce = 64;
// Looked up together, so that the processor waits for memory once and not for each.
constexpr size_t kLookedUpAtOnce = 64;

constexpr uint32_t kNoQuestion = UINT32_MAX;

}  // namespace

CompactionJob::CompactionJob(const CompactionParts& parts, const std::atomic<bool>& stopped,
                             const CompactionPlan& plan)
    : parts_(parts),
      stopped_(stopped),
      merges_(plan.merges),
      gain_(plan.gain),
      throttle_(parts.bytes_per_second, stopped),
      tombstones_(parts.directory, parts.log) {
  for (const std::shared_ptr<Segment>& segment : plan.victims) {
    victims_.emplace_back();
    victims_.back().segment = segment;
    progress_.Expect(*segment);
  }
}

absl::Status CompactionJob::GoesOn() const {
  if (stopped_.load(std::memory_order_acquire)) return absl::CancelledError("database is closed");
  return parts_.log->status();
}

absl::Status CompactionJob::Run() {
  absl::Status status;
  // A number that does not come after all that was decided proves nothing.
  if (SeededBug("fence-first")) status = Fence();
  Step("read");
  if (status.ok()) status = Read();
  if (status.ok()) status = DropTombstones();
  Step("copy");
  if (status.ok()) status = Copy();
  Step("adopt");
  if (status.ok()) status = Adopt();
  Step("move");
  if (status.ok()) status = MoveAll();
  Step("fence");
  if (status.ok() && !SeededBug("fence-first")) status = Fence();
  for (const std::shared_ptr<Segment>& survivor : survivors_)
    parts_.log->DiscardSurvivor(*survivor);
  return status;
}

// ---- READ ----

absl::Status CompactionJob::Read() {
  for (size_t i = 0; i < victims_.size(); ++i) {
    absl::Status status = GoesOn();
    if (status.ok()) status = ReadVictim(i);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CompactionJob::ReadVictim(size_t index) {
  Victim& victim = victims_[index];
  const Segment& segment = *victim.segment;
  absl::StatusOr<std::unique_ptr<SegmentFile>> file =
      SegmentFile::Open(parts_.directory, parts_.log->uuid(), segment.id());
  const auto damaged = [&] {
    victim.stays = victim.damaged = victim.unreadable = true;
    damages_.push_back(absl::DataLossError(absl::StrCat(
        segment.name(), ": it cannot be read or its footer is damaged, so it is not compacted")));
    return absl::OkStatus();
  };
  if (IsDamage(file.status())) return damaged();
  if (!file.ok()) return file.status();
  const absl::StatusOr<std::optional<Trailer>> trailer = (*file)->ReadTrailer();
  if (!trailer.ok()) return trailer.status();
  if (!trailer->has_value()) return damaged();
  victim.trailer = **trailer;
  file->reset();
  KeyTableCursor entry(parts_.directory, parts_.log->uuid(), segment.id(), victim.trailer);
  const absl::StatusOr<bool> whole = entry.Check();
  if (!whole.ok()) return whole.status();
  if (!*whole) return damaged();
  const size_t moves_before = moves_.size();
  const size_t keys_before = keys_.size();
  bool gains = false;
  bool more = true;
  while (more) {
    std::vector<Entry> entries;
    std::string bytes;
    while (entries.size() < kLookedUpAtOnce) {
      const absl::StatusOr<bool> next = entry.Next();
      if (!next.ok()) return next.status();
      more = *next;
      if (!more) break;
      Progress(JobProgress::kLookedUp, 1);
      if (!entry.header().is_data()) continue;
      entries.push_back({entry.header(), entry.offset(), bytes.size()});
      bytes.append(entry.key());
    }
    absl::Status status = LookUp(index, entries, bytes, &gains);
    if (!status.ok()) return status;
  }
  if (!gains && !merges_) {
    // All is live. It was chosen where only a bound of what is live was known.
    victim.stays = true;
    moves_.resize(moves_before);
    keys_.resize(keys_before);
  }
  return absl::OkStatus();
}

absl::Status CompactionJob::LookUp(size_t index, const std::vector<Entry>& entries,
                                   std::string_view bytes, bool* gains) {
  const Segment& segment = *victims_[index].segment;
  std::vector<PreparedKey> keys;
  keys.reserve(entries.size());
  for (const Entry& entry : entries) {
    keys.emplace_back(bytes.substr(entry.key_begin, entry.header.key_bytes));
    parts_.keystore->Digest(&keys.back());
    parts_.keystore->Prefetch(keys.back());
  }
  for (size_t i = 0; i < entries.size(); ++i) {
    const RecordHeader& header = entries[i].header;
    Location newest;
    absl::Status found;
    {
      const ReaderScope reading;
      found = parts_.keystore->Get(keys[i], &newest);
    }
    const bool exists = found.ok();
    if (!exists && !absl::IsNotFound(found)) return found;
    const Location here = Location::Make(segment.slot(), entries[i].offset, header.record_bytes());
    uint32_t question = kNoQuestion;
    if (header.is_tombstone()) {
      // The newer record that the index has keeps older ones from coming back.
      *gains = true;
      if (exists) continue;
      question = static_cast<uint32_t>(tombstones_.Ask(keys[i].key, header.sequence, segment.id()));
    } else if (!exists || newest != here) {
      *gains = true;
      continue;
    }
    moves_.push_back({header.sequence, here, Location(), static_cast<uint32_t>(index),
                      static_cast<uint32_t>(header.record_bytes()), keys_.size(), header.key_bytes,
                      header.is_tombstone(), /*is_moved=*/false, question});
    keys_.append(keys[i].key);
  }
  return absl::OkStatus();
}

absl::Status CompactionJob::DropTombstones() {
  absl::Status status = tombstones_.Answer();
  if (!status.ok()) return status;
  const auto dropped = [&](const Move& move) {
    return move.is_tombstone && !tombstones_.MustStay(move.question);
  };
  moves_.erase(std::remove_if(moves_.begin(), moves_.end(), dropped), moves_.end());
  std::sort(moves_.begin(), moves_.end(),
            [](const Move& a, const Move& b) { return a.sequence < b.sequence; });
  // Of copies of one tombstone, one stays. Of copies of a put only one is live.
  const auto twins = [](const Move& a, const Move& b) { return a.sequence == b.sequence; };
  if (!SeededBug("both-twins-copied")) {
    moves_.erase(std::unique(moves_.begin(), moves_.end(), twins), moves_.end());
  }
  return absl::OkStatus();
}

// ---- COPY ----

std::vector<CompactionJob::Output> CompactionJob::Divide() {
  // Young records die sooner than old ones, so they do not share a segment with them. Older than
  // half as many writes as there are live keys is old.
  uint64_t newest = 0;
  {
    MutexLock lock(parts_.log->write_mutex());
    newest = parts_.log->last_sequence();
  }
  const uint64_t old_age = parts_.keystore->KeyCount() / 2;
  const uint64_t first_young = newest > old_age ? newest - old_age : 0;
  const auto boundary = std::partition_point(
      moves_.begin(), moves_.end(), [&](const Move& move) { return move.sequence < first_young; });
  size_t old_end = static_cast<size_t>(boundary - moves_.begin());
  const auto bytes_of = [this](size_t begin, size_t end) {
    uint64_t bytes = 0;
    for (size_t i = begin; i < end; ++i) bytes += moves_[i].bytes;
    return bytes;
  };
  // Too little for a file of its own goes with the others.
  if (bytes_of(0, old_end) < parts_.segment_bytes / 2) old_end = 0;
  if (bytes_of(old_end, moves_.size()) < parts_.segment_bytes / 2) old_end = moves_.size();
  std::vector<Output> outputs;
  const auto cut = [&](size_t begin, size_t end, AgeClass age) {
    const uint64_t bytes = bytes_of(begin, end);
    const uint64_t room = parts_.segment_bytes - std::min<uint64_t>(parts_.segment_bytes / 8, 4096);
    const uint64_t files = (bytes + room - 1) / room;
    for (uint64_t file = 0; begin < end; ++file) {
      // An equal share each, so that none is nearly empty.
      const uint64_t share = files <= file + 1 ? UINT64_MAX : bytes / files;
      uint64_t taken = 0;
      size_t at = begin;
      while (at < end && (taken == 0 || taken + moves_[at].bytes <= share)) {
        taken += moves_[at++].bytes;
        if (taken >= room) break;
      }
      outputs.push_back({begin, at, age});
      begin = at;
    }
  };
  cut(0, old_end, AgeClass::kOld);
  cut(old_end, moves_.size(), AgeClass::kYoung);
  return outputs;
}

absl::Status CompactionJob::Copy() {
  for (const Output& output : Divide()) {
    absl::Status status = CopyInto(output);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// Records are copied in about the order in which they lie in their segment.
void CompactionJob::Prefetch(const Move& move, Victim* victim) {
  constexpr uint64_t kAhead = uint64_t{1} << 20;
  const uint64_t offset = move.from.offset();
  if (offset + move.bytes <= victim->prefetched) return;
  const uint64_t bytes = std::max<uint64_t>(kAhead, move.bytes);
  victim->segment->Prefetch(offset, bytes);
  victim->prefetched = offset + bytes;
}

absl::Status CompactionJob::CopyInto(const Output& output) {
  SurvivorWriter writer(parts_.log, output.age, moves_[output.begin].sequence);
  absl::Status status = writer.Begin();
  if (!status.ok()) return status;
  const uint64_t begin = writer.end();
  for (size_t i = output.begin; i < output.end; ++i) {
    status = GoesOn();
    if (!status.ok()) return status;
    Move& move = moves_[i];
    Victim& victim = victims_[move.victim];
    Prefetch(move, &victim);
    bool damaged = false;
    status = writer.Add(*victim.segment, move.from.offset(), move.bytes, &move.to, &damaged);
    if (damaged) {
      // The rest of the victim is moved all the same.
      victim.stays = victim.damaged = true;
      damages_.push_back(std::move(status));
      continue;
    }
    if (!status.ok()) return status;
    ++copied_records_;
    Progress(JobProgress::kCopied, move.bytes);
    throttle_.Spend(move.bytes);
  }
  // Nothing could be read.
  if (writer.end() == begin) return absl::OkStatus();
  status = writer.Finish();
  if (!status.ok()) return status;
  survivors_.push_back(writer.TakeSegment());
  const uint64_t file = survivors_.back()->allocated_bytes.load(std::memory_order_relaxed);
  written_bytes_ += file;
  throttle_.Spend(file - std::min(file, writer.end() - begin));
  survivors_.back()->role.store(Segment::Role::kSurvivor, std::memory_order_relaxed);
  return status;
}

// ---- ADOPT ----

absl::Status CompactionJob::Adopt() {
  if (survivors_.empty()) return absl::OkStatus();
  absl::Status status = parts_.log->Adopt(survivors_);
  // From now on, or if it is not known, they are no litter.
  if (status.ok() || parts_.log->failed()) adopted_ = std::move(survivors_);
  return status;
}

// ---- MOVE ----

absl::Status CompactionJob::MoveAll() {
  std::vector<Move*> pending;
  for (Move& move : moves_) {
    // Nothing points at tombstones.
    if (!move.is_tombstone && move.to.exists()) pending.push_back(&move);
  }
  absl::Status status;
  for (size_t at = 0; at < pending.size() && status.ok(); at += kMovedAtOnce) {
    const size_t end = std::min(at + kMovedAtOnce, pending.size());
    status = MoveSome(pending.data() + at, pending.data() + end);
  }
  Step("held");
  // Also after an error: a later job will find what was moved dead, and know nothing of its copy.
  ReplaceHeld();
  return status;
}

void CompactionJob::ReplaceHeld() {
  std::sort(moves_.begin(), moves_.end(),
            [](const Move& a, const Move& b) { return a.from.bits() < b.from.bits(); });
  if (SeededBug("iterators-left-behind")) return;
  parts_.held->Replace([this](Location location) {
    const auto found =
        std::lower_bound(moves_.begin(), moves_.end(), location,
                         [](const Move& move, Location l) { return move.from.bits() < l.bits(); });
    // A record that was overwritten before it could be moved is kept where it was, for snapshots.
    const bool moved = found != moves_.end() && found->from == location && found->is_moved;
    return moved ? found->to : location;
  });
}

absl::Status CompactionJob::MoveSome(Move** begin, Move** end) {
  std::vector<Move*> left(begin, end);
  while (!left.empty()) {
    Step("slice");
    absl::Status status = GoesOn();
    if (status.ok()) status = parts_.index->WaitForRoom();
    if (!status.ok()) return status;
    std::vector<PreparedKey> keys;
    keys.reserve(left.size());
    for (const Move* move : left) {
      keys.emplace_back(KeyOf(*move));
      parts_.keystore->Digest(&keys.back());
      parts_.keystore->Prefetch(keys.back());
    }
    std::vector<CurrentState> seen(left.size());
    for (size_t i = 0; i < left.size(); ++i) {
      const ReaderScope reading;
      status = parts_.index->ReadCurrent(keys[i], &seen[i]);
      if (!status.ok()) return status;
    }
    Step("looked");
    std::vector<Move*> again;
    {
      MutexLock lock(parts_.log->write_mutex());
      Space& space = parts_.log->space();
      for (size_t i = 0; i < left.size(); ++i) {
        Move& move = *left[i];
        Relocation relocation = Relocation::kNone;
        if (!parts_.index->Relocate(keys[i], seen[i], move.from, move.to, &relocation)) {
          again.push_back(&move);
          continue;
        }
        if (relocation == Relocation::kNone && !SeededBug("lost-copies-count-as-live")) continue;
        move.is_moved = true;
        space.CreditCopy(move.to, move.bytes);
        if (relocation == Relocation::kMoved || SeededBug("moved-debited-twice")) {
          space.DebitOriginal(move.from, move.bytes);
        }
      }
      parts_.index->OnMoved(parts_.log->last_sequence());
    }
    parts_.index->AfterWrite();
    Progress(JobProgress::kMoved, left.size() - again.size());
    left.swap(again);
  }
  return absl::OkStatus();
}

// ---- FENCE ----

absl::Status CompactionJob::Fence() {
  NewRecord fence;
  absl::Status status = AppendFence(parts_, &fence, /*ends_segment=*/false);
  if (status.ok()) fence_ = fence.header.sequence;
  return status;
}

absl::Status AppendFence(const CompactionParts& parts, NewRecord* fence, bool ends_segment) {
  absl::Status status = parts.index->WaitForRoom();
  if (!status.ok()) return status;
  {
    MutexLock lock(parts.log->write_mutex());
    status = parts.log->AppendFence(fence, ends_segment);
    if (status.ok()) parts.index->OnFence(fence->header.sequence, fence->location);
  }
  parts.log->AfterWrite();
  parts.index->AfterWrite();
  return status;
}

}  // namespace rumcask
