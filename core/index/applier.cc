// The part of BufferedIndex that applies frozen memtables to the index.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "core/index/buffered_index.h"
#include "core/plugin/disk_index.h"
#include "core/system/seeded_bug.h"

namespace rumcask {
namespace {

// Keys in one batch: enough to share the fixed cost of a commit, and few enough that an index that
// copies pages on writing does not take many times its size for one batch.
constexpr size_t kKeysAtOnce = 16384;
// And when the disk is full: such an index needs pages for all that one batch changes before those
// of earlier batches are free.
constexpr size_t kFewKeysAtOnce = 64;
// In a row, so that what is refilled meanwhile does not make it go on for ever.
constexpr int kMostTries = 6;

// How often the position may be found not to be durable after a flush: for ten seconds.
constexpr int kMostLags = 100;

}  // namespace

// A part of a memtable, as it is given to the index.
class BufferedIndex::Batch : public IndexBatch {
 public:
  // The position comes with the last part.
  Batch(const BufferedIndex& keystore, PastVersions* past, const KeyBlock& keys,
        const LiveBytes& live, const IndexWitness& witness, const IndexPosition* position)
      : keystore_(keystore),
        past_(past),
        keys_(keys),
        live_(live),
        witness_(witness),
        position_(position),
        wants_replaced_(keystore.reports_replaced_ || keystore.past_.wanted()) {
    // The values lie in one string, which must not be reallocated once they are referred to.
    std::vector<size_t> ends;
    for (size_t i = 0; i < keys.size(); ++i) {
      if (keys.location(i).exists()) AppendIndexEntry(keystore.EntryFor(Version(i)), &values_);
      ends.push_back(values_.size());
    }
    changes_.reserve(keys.size());
    for (size_t i = 0, begin = 0; i < keys.size(); begin = ends[i++]) {
      changes_.push_back({keys.key(i), std::string_view(values_).substr(begin, ends[i] - begin)});
    }
  }

  const std::vector<IndexChange>& changes() const override { return changes_; }
  bool wants_replaced() const override { return wants_replaced_; }

  bool Accepts(size_t i, std::string_view before) override {
    const KeyVersion now = Version(i);
    KeyVersion old;
    // Decode has noted that the index is damaged, which ends applying.
    if (!before.empty() && !keystore_.Decode(before, &old).ok()) damaged_ = true;
    if (before.empty() || damaged_) {
      Credit(now);
      NoteWitness(i);
      return true;
    }
    // While the log is replayed after a crash, the index may have the record already, or a newer
    // one. The record was counted as live when it was replayed, and must be counted only once.
    if (old.sequence > now.sequence ||
        (old.sequence == now.sequence && old.location == now.location)) {
      // Nothing may be subtracted twice from an upper bound.
      if (keystore_.reports_replaced_) CountDead(now);
      return false;
    }
    // A snapshot that is taken from now on sees the memtable's version or a newer one.
    if (old.sequence < now.sequence && past_->wanted()) {
      past_->Keep(changes_[i].key, old, now.sequence);
    }
    CountDead(old);
    Debit(old);
    Credit(now);
    NoteWitness(i);
    return true;
  }

  std::vector<IndexNote> Notes() override {
    std::vector<IndexNote> notes;
    if (!wants_replaced_) {
      for (size_t i = 0; i < changes_.size(); ++i) NoteWitness(i);
    }
    notes.push_back({IndexWitness::kNote, EncodeIndexWitness(witness_)});
    if (keystore_.reports_replaced_ || !live_.empty()) {
      notes.push_back({kLiveNote, EncodeLiveBytes(live_)});
    }
    if (position_ != nullptr) {
      notes.push_back({IndexPosition::kNote, EncodeIndexPosition(*position_)});
    }
    return notes;
  }

  bool damaged() const { return damaged_; }
  // What holds once the index has taken this part.
  LiveBytes* live() { return &live_; }
  IndexWitness* witness() { return &witness_; }
  const std::map<uint32_t, uint64_t>& dead() const { return dead_; }

 private:
  // The index makes the change.
  void NoteWitness(size_t i) {
    const IndexChange& change = changes_[i];
    if (!change.value.empty()) {
      witness_ = {std::string(change.key), std::string(change.value)};
    } else if (change.key == witness_.key) {
      witness_ = {};
    }
  }

  KeyVersion Version(size_t i) const { return {keys_.sequence(i), keys_.location(i)}; }
  SegmentPin SegmentOf(const KeyVersion& version) const {
    return keystore_.log_->Pin(version.location);
  }
  void CountDead(const KeyVersion& version) {
    if (!version.location.exists()) return;
    dead_[version.location.slot()] += SegmentOf(version)->RecordBytesAt(version.location);
  }
  // Where not everything that is replaced is reported, what was counted is noted as it is.
  void Credit(const KeyVersion& version) {
    if (!version.location.exists() || !keystore_.reports_replaced_) return;
    live_[SegmentOf(version)->id()] += SegmentOf(version)->RecordBytesAt(version.location);
  }
  void Debit(const KeyVersion& version) {
    if (!keystore_.reports_replaced_) return;
    const auto live = live_.find(SegmentOf(version)->id());
    if (live == live_.end()) return;
    live->second -= SegmentOf(version)->RecordBytesAt(version.location);
    // So that segments that are gone leave nothing here.
    if (live->second == 0) live_.erase(live);
  }

  const BufferedIndex& keystore_;
  PastVersions* const past_;
  const KeyBlock& keys_;
  LiveBytes live_;
  IndexWitness witness_;
  const IndexPosition* const position_;
  const bool wants_replaced_;
  bool damaged_ = false;
  std::string values_;
  std::vector<IndexChange> changes_;
  std::map<uint32_t, uint64_t> dead_;
};

absl::Status BufferedIndex::ApplyFrozen(Patience patience) {
  absl::Status status;
  bool more = true;
  while (more && status.ok()) {
    {
      // Writers that wait for room wait for this lock, and a listener may wait for such a writer.
      const LogStatus::Quiet quiet;
      MutexLock lock(apply_mutex_);
      status = ApplyNext(patience, &more);
    }
    log_->TellListener();
  }
  return status;
}

absl::Status BufferedIndex::ApplyNext(Patience patience, bool* more) {
  std::shared_ptr<Memtable> buffer;
  {
    SharedLock lock(buffers_mutex_);
    if (!frozen_.empty()) buffer = frozen_.front();
  }
  *more = buffer != nullptr;
  if (buffer == nullptr) return absl::OkStatus();
  {
    MutexLock lock(state_mutex_);
    if (failed_) return status_;
  }
  // Everything that the index will point at, and its position, must be durable in the log.
  if (!SeededBug("index-before-log")) {
    // If the log fails, it reports that itself and wakes the writers that wait for room.
    absl::Status status = log_->WaitDurable(buffer->position);
    if (!status.ok()) return status;
  }
  DiskIndex* index;
  {
    SharedLock lock(index_mutex_);
    index = index_.get();
  }
  // Only Close resets it, and Close waits for apply_mutex_.
  if (index == nullptr) return Closed();
  size_t keys_at_once = kKeysAtOnce;
  absl::Status status = ApplyBuffer(buffer.get(), index, keys_at_once);
  // On a full disk nothing comes back before the index has taken what was deleted.
  for (int tries = 0; absl::IsResourceExhausted(status) && tries < kMostTries; ++tries) {
    if (keys_at_once == kFewKeysAtOnce && !log_->reserve().GiveUp()) break;
    keys_at_once = kFewKeysAtOnce;
    status = ApplyBuffer(buffer.get(), index, keys_at_once);
  }
  if (absl::IsResourceExhausted(status)) {
    MutexLock lock(state_mutex_);
    was_short_ = true;
  }
  bool lags = false;
  if (status.ok()) status = CheckPosition(*buffer, *index, &lags);
  if (lags) {
    absl::Status told = NoteLag(patience);
    if (!told.ok()) SetFailed(told);
    return status;
  }
  if (!status.ok()) {
    SetFailed(status);
    // As writers and Close will report it.
    return this->status();
  }
  {
    MutexLock write_lock(log_->write_mutex());
    // Where only some replaced records are reported, live bytes are counted by walks over the
    // index, and nothing may be subtracted twice.
    if (reports_replaced_) {
      for (const auto& [slot, bytes] : buffer->dead) log_->space().Debit(slot, bytes);
      log_->space().WithdrawAssumption(buffer->written_bytes);
    }
    ExclusiveLock lock(buffers_mutex_);
    frozen_.pop_front();
    waiting_.store(frozen_.size(), std::memory_order_release);
    if (!SeededBug("generation-kept")) generation_.fetch_add(1, std::memory_order_acq_rel);
  }
  position_.store(buffer->position, std::memory_order_release);
  NoteProgress();
  return absl::OkStatus();
}

IndexPosition BufferedIndex::PositionAfter(const Memtable& buffer) const {
  IndexPosition position;
  position.incarnation = config_.incarnation;
  position.sequence = buffer.position;
  RecordBuffer bytes;
  RecordView record;
  // If the record has been damaged meanwhile, that says nothing about the index.
  if (!buffer.last.exists() || !log_->Pin(buffer.last)->Read(buffer.last, &bytes, &record).ok())
    return position;
  const IndexEntry entry = EntryFor({buffer.position, buffer.last});
  position.segment_id = entry.segment_id;
  position.offset = entry.offset;
  position.length = entry.length;
  position.checksum = record.header.checksum;
  return position;
}

absl::Status BufferedIndex::ApplyBuffer(Memtable* buffer, DiskIndex* index, size_t keys_at_once) {
  const IndexPosition after = PositionAfter(*buffer);
  const LiveBytes none;
  KeyBlock keys;
  bool last = false;
  while (!last) {
    const std::string behind = buffer->applied_through;
    buffer->keys.Scan({behind, {}, /*after_lower=*/buffer->begun}, keys_at_once, &keys);
    last = keys.size() < keys_at_once;
    const bool tells = last || SeededBug("position-with-every-part");
    const LiveBytes& live = reports_replaced_ ? live_ : tells ? buffer->counted : none;
    Batch batch(*this, &past_, keys, live, witness_, tells ? &after : nullptr);
    absl::Status status = index->Commit(&batch);
    past_.KeepUp();
    if (!status.ok()) return status;
    if (batch.damaged()) return absl::DataLossError("it has damaged entries");
    if (reports_replaced_) live_ = std::move(*batch.live());
    witness_ = std::move(*batch.witness());
    for (const auto& [slot, bytes] : batch.dead()) buffer->dead[slot] += bytes;
    if (keys.empty()) continue;
    buffer->applied_through = std::string(keys.key(keys.size() - 1));
    buffer->begun = true;
  }
  return index->Flush();
}

absl::Status BufferedIndex::CheckPosition(const Memtable& buffer, const DiskIndex& index,
                                          bool* lags) const {
  std::string note;
  absl::Status status = index.GetNote(IndexPosition::kNote, /*durable=*/true, &note);
  if (!status.ok() && !absl::IsNotFound(status)) return status;
  IndexPosition position;
  const bool known = status.ok() && DecodeIndexPosition(note, &position);
  if (known && position.sequence == buffer.position) return absl::OkStatus();
  if (status.ok() && (!known || position.sequence > buffer.position)) {
    return absl::InternalError(absl::StrCat(config_.path, ": does not keep its position"));
  }
  *lags = true;
  return absl::ResourceExhaustedError(
      absl::StrCat(config_.path, ": what it has flushed is not durable yet"));
}

absl::Status BufferedIndex::NoteLag(Patience patience) {
  MutexLock lock(state_mutex_);
  ++lags_;
  // An index whose disk was full may still be recovering from that, however long it takes.
  if (lags_ > kMostLags && !was_short_) {
    return absl::InternalError(
        absl::StrCat(config_.path, ": what it has flushed does not become durable"));
  }
  if (lags_ <= kMostLags && patience == Patience::kWaits) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat(config_.path, ": what it has flushed is not durable yet"));
}

}  // namespace rumcask
