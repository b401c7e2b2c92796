#include "core/index/buffered_index.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "xxhash.h"

#include "core/plugin/disk_index.h"
#include "core/plugin/keystore.h"
#include "core/system/reader_epoch.h"
#include "core/system/seeded_bug.h"
#include "core/versions/snapshot_scan.h"

namespace rumcask {
namespace {

// After how many deletes, at most, the keys around the last one are explored. It is done more often
// where much was found to be deleted, as when a range is deleted in order, or when little is left
// of one that is deleted in random order.
constexpr uint64_t kMostDeletesToExplore = 256;
constexpr uint64_t kMuchFound = 128;
constexpr uint64_t kLittleFound = 64;
constexpr size_t kExploredAtOnce = 4096;

// Translates an error of the index into a code that db.h promises. NotFound without a message is an
// absent key; NotFound with a message is a missing file, which says nothing about a key.
absl::Status IndexError(absl::Status status) {
  switch (status.code()) {
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kDataLoss:
      return status;
    case absl::StatusCode::kNotFound:
      if (status.message().empty()) return status;
      break;
    default:
      break;
  }
  return absl::InternalError(status.message());
}

absl::Status Missing() { return absl::Status(absl::StatusCode::kNotFound, ""); }

}  // namespace

BufferedIndex::BufferedIndex(std::unique_ptr<DiskIndex> index, Log* log, Config config,
                             std::function<void()> abandon)
    : config_(std::move(config)),
      log_(log),
      abandon_(std::move(abandon)),
      reports_replaced_(index->reports_replaced()),
      past_({config_.max_undo_bytes, config_.background}),
      live_(config_.live),
      witness_(config_.witness),
      active_(NewBuffer()),
      deletes_to_explore_(kMostDeletesToExplore),
      index_(std::move(index)),
      position_(config_.position) {
  // Writers that wait for room must wake up when the log fails. The log has noted its failure
  // before it calls this, and under the lock no writer can have looked before and begin to wait
  // after.
  log_->health().SetFailureObserver([this] {
    MutexLock lock(state_mutex_);
    changed_.NotifyAll();
  });
  if (config_.read_only || !config_.background) return;
  // If the system has no more threads, writers apply, as they do without background threads.
  background_ = applier_
                    .Start(std::chrono::milliseconds(0),
                           [this](bool) {
                             bool again = true;
                             while (again) {
                               again = !ApplyFrozen(Patience::kWaits).ok() && PauseBeforeRetry();
                               AbandonIfFailed();
                               log_->TellListener();
                             }
                           })
                    .ok();
}

BufferedIndex::~BufferedIndex() {
  StopApplier();
  log_->health().SetFailureObserver(nullptr);
}

// Opening may fail, so this may come without a Close before it.
bool BufferedIndex::StopApplier() {
  bool was_closed;
  {
    MutexLock lock(state_mutex_);
    was_closed = std::exchange(closed_, true);
  }
  changed_.NotifyAll();
  applier_.Stop();
  return !was_closed;
}

// ---- reading ----

void BufferedIndex::Digest(PreparedKey* key) const {
  key->digest[0] = XXH3_64bits(key->key.data(), key->key.size());
}

bool BufferedIndex::FindInBuffers(const PreparedKey& key, KeyVersion* version) const {
  const uint64_t digest = key.digest[0];
  SharedLock lock(buffers_mutex_);
  if (active_->filter.MayHave(digest) && active_->keys.Get(key.key, version)) return true;
  for (auto it = frozen_.rbegin(); it != frozen_.rend(); ++it) {
    if ((*it)->filter.MayHave(digest) && (*it)->keys.Get(key.key, version)) return true;
  }
  return false;
}

absl::Status BufferedIndex::Closed() const {
  return absl::FailedPreconditionError("database is closed");
}

absl::Status BufferedIndex::FindInIndex(std::string_view key, KeyVersion* version) const {
  // Most entries are short enough for the string's own buffer, so nothing is allocated.
  std::string value;
  absl::Status status;
  {
    SharedLock lock(index_mutex_);
    if (index_ == nullptr) return Closed();
    status = index_->Get(key, &value);
  }
  if (status.ok()) return Decode(value, version);
  if (absl::IsDataLoss(status)) SetFailed(status);
  return IndexError(std::move(status));
}

absl::Status BufferedIndex::Decode(std::string_view value, KeyVersion* version) const {
  IndexEntry entry;
  if (!DecodeIndexEntry(value, &entry)) return Damaged("an entry cannot be decoded");
  const std::optional<uint32_t> slot = log_->SlotOf(entry.segment_id);
  if (!slot.has_value() || entry.offset < kSegmentHeaderBytes ||
      entry.offset > Location::kMaxOffset) {
    return Damaged(absl::StrCat("it leads to ", SegmentName(entry.segment_id), " offset ",
                                entry.offset, ", which the database does not have"));
  }
  version->sequence = entry.sequence;
  version->location = Location::Make(*slot, entry.offset, entry.length);
  return absl::OkStatus();
}

absl::Status BufferedIndex::Damaged(const std::string& how) const {
  absl::Status status =
      absl::DataLossError(absl::StrCat(config_.path, ": the index is damaged: ", how));
  SetFailed(status);
  return status;
}

absl::Status BufferedIndex::ReportMisdirected(Location location) const {
  return Damaged(absl::StrCat("it leads to ", log_->Pin(location)->name(), " offset ",
                              location.offset(), ", the record of another key"));
}

IndexEntry BufferedIndex::EntryFor(const KeyVersion& version) const {
  return {version.sequence, log_->Pin(version.location)->id(), version.location.offset(),
          version.location.length()};
}

absl::Status BufferedIndex::Find(const PreparedKey& key, KeyVersion* version) const {
  if (SeededBug("index-before-buffers")) {
    absl::Status status = FindInIndex(key.key, version);
    if (!FindInBuffers(key, version) && !status.ok()) return status;
  } else if (!FindInBuffers(key, version)) {
    absl::Status status = FindInIndex(key.key, version);
    if (!status.ok()) return status;
  }
  return version->location.exists() ? absl::OkStatus() : Missing();
}

absl::Status BufferedIndex::Get(const PreparedKey& key, Location* location) const {
  KeyVersion version;
  absl::Status status = Find(key, &version);
  if (!status.ok()) return status;
  *location = version.location;
  return absl::OkStatus();
}

absl::Status BufferedIndex::GetAt(const KeystoreSnapshot& snapshot, const PreparedKey& key,
                                  Location* location) const {
  const uint64_t sequence = snapshot.sequence();
  KeyVersion seen;
  bool found = false;
  {
    SharedLock lock(buffers_mutex_);
    found = active_->keys.Get(key.key, &seen) && seen.sequence <= sequence;
    for (auto it = frozen_.rbegin(); !found && it != frozen_.rend(); ++it) {
      found = (*it)->keys.Get(key.key, &seen) && seen.sequence <= sequence;
    }
  }
  if (!found) {
    absl::Status status = FindInIndex(key.key, &seen);
    if (!status.ok() && !absl::IsNotFound(status)) return status;
    found = status.ok() && seen.sequence <= sequence;
  }
  // The past versions come last: whatever was replaced since one of the looks above is there by
  // now.
  bool is_past = false;
  absl::Status status = past_.Find(snapshot, key.key, &is_past, &seen);
  if (!status.ok()) return status;
  if ((!found && !is_past) || !seen.location.exists()) return Missing();
  *location = seen.location;
  return absl::OkStatus();
}

absl::Status BufferedIndex::ScanIndex(const KeyRange& range, size_t limit, KeyBlock* block) const {
  block->Clear();
  IndexRows rows;
  absl::Status status;
  {
    SharedLock lock(index_mutex_);
    if (index_ == nullptr) return Closed();
    status = index_->Scan(range, limit, &rows);
  }
  if (absl::IsDataLoss(status)) SetFailed(status);
  for (size_t i = 0; status.ok() && i < rows.size(); ++i) {
    // A damaged tree may yield keys out of order, and a scan that goes on behind them would never
    // end.
    const std::string_view key = rows.key(i);
    const bool ordered = i == 0 || (range.reverse ? key < rows.key(i - 1) : key > rows.key(i - 1));
    const bool in_range = (range.after_lower ? key > range.lower : key >= range.lower) &&
                          (range.upper.empty() || key < range.upper);
    if (!ordered || !in_range) return Damaged("keys are not in their order");
    KeyVersion version;
    status = Decode(rows.value(i), &version);
    block->Pass(rows.passed_before(i));
    if (status.ok()) block->Add(rows.key(i), version.location, version.sequence);
  }
  block->Pass(rows.passed_at_end());
  return status;
}

// The memtables from new to old, and then the index.
class BufferedIndex::Sources final : public ScanSources {
 public:
  explicit Sources(const BufferedIndex* keystore) : keystore_(keystore) {}

  void Capture() override {
    buffers_.clear();
    SharedLock lock(keystore_->buffers_mutex_);
    buffers_.push_back(keystore_->active_);
    buffers_.insert(buffers_.end(), keystore_->frozen_.rbegin(), keystore_->frozen_.rend());
  }
  size_t count() const override { return buffers_.size() + 1; }
  absl::Status Fetch(size_t i, const KeyRange& range, size_t limit, KeyBlock* block) override {
    if (i == buffers_.size()) return keystore_->ScanIndex(range, limit, block);
    buffers_[i]->keys.Scan(range, limit, block);
    return absl::OkStatus();
  }

 private:
  const BufferedIndex* const keystore_;
  std::vector<std::shared_ptr<Memtable>> buffers_;
};

absl::Status BufferedIndex::Scan(const KeystoreSnapshot& snapshot, const KeyRange& range,
                                 size_t limit, KeyBlock* block) const {
  Sources sources(this);
  return ScanSnapshot(&sources, past_, &empty_, snapshot, range, limit, block);
}

void BufferedIndex::ExploreDeleted() {
  std::string key;
  {
    MutexLock lock(explore_mutex_);
    if (!explores_.exchange(false)) return;
    key = explored_key_;
  }
  Sources sources(this);
  // What the index leads to must not be retired before it is decoded.
  const ReaderScope reading(!SeededBug("exploring-not-announced"));
  const uint64_t found = ExploreAround(&sources, &empty_, key, kExploredAtOnce);
  // Scattered deletes leave little to step over; the last ones of a range leave much each time.
  uint64_t deletes = deletes_to_explore_.load(std::memory_order_relaxed);
  if (found >= kMuchFound) deletes = std::max<uint64_t>(1, deletes / 4);
  if (found < kLittleFound) deletes = std::min(kMostDeletesToExplore, deletes * 2);
  deletes_to_explore_.store(deletes, std::memory_order_relaxed);
}

// ---- conditions ----

absl::Status BufferedIndex::ReadCurrent(const PreparedKey& key, CurrentState* seen) const {
  // Read before anything else, so that a memtable that is merged while this looks is noticed.
  seen->generation = generation_.load(std::memory_order_acquire);
  KeyVersion version;
  absl::Status status = Find(key, &version);
  if (SeededBug("generation-read-late")) {
    seen->generation = generation_.load(std::memory_order_acquire);
  }
  seen->exists = status.ok();
  seen->location = seen->exists ? version.location : Location();
  seen->sequence = seen->exists ? version.sequence : 0;
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

bool BufferedIndex::Revalidate(const PreparedKey& key, const CurrentState& seen,
                               Location* now) const {
  KeyVersion version;
  if (FindInBuffers(key, &version)) {
    *now = version.location;
    return true;
  }
  // A memtable with the key may have been merged since, even one that was frozen after that look.
  if (generation_.load(std::memory_order_acquire) != seen.generation) return false;
  *now = seen.location;
  return true;
}

// ---- writing ----

Location BufferedIndex::Set(const PreparedKey& key, Location location, uint64_t sequence) {
  if (!location.exists() && !SeededBug("nothing-is-assumed-dead")) {
    written_since_freeze_ += log_->space().average();
    log_->space().AssumeDead(log_->space().average());
  }
  if (!location.exists() && ++deletes_ >= deletes_to_explore_.load(std::memory_order_relaxed)) {
    deletes_ = 0;
    MutexLock lock(explore_mutex_);
    explored_key_.assign(key.key);
    explores_.store(true);
  }
  // Nobody replaces the active memtable while this thread holds the write lock.
  SharedLock lock(buffers_mutex_);
  active_->filter.Add(key.digest[0]);
  return active_->keys.Set(key.key, location, sequence);
}

bool BufferedIndex::Relocate(const PreparedKey& key, Location from, Location to) {
  CurrentState seen;
  Relocation relocation = Relocation::kNone;
  // No memtable is merged while this thread holds the write lock, so the first look holds.
  return ReadCurrent(key, &seen).ok() && RelocateSeen(key, seen, from, to, &relocation) &&
         relocation != Relocation::kNone;
}

bool BufferedIndex::RelocateSeen(const PreparedKey& key, const CurrentState& seen, Location from,
                                 Location to, Relocation* relocation) {
  SharedLock lock(buffers_mutex_);
  *relocation = active_->keys.Relocate(key.key, from, to) ? Relocation::kMoved : Relocation::kNone;
  KeyVersion version;
  if (*relocation == Relocation::kMoved || active_->keys.Get(key.key, &version)) return true;
  bool buffered = false;
  for (auto it = frozen_.rbegin(); !buffered && it != frozen_.rend(); ++it) {
    buffered = (*it)->keys.Get(key.key, &version);
  }
  if (!buffered) {
    if (generation_.load(std::memory_order_acquire) != seen.generation &&
        !SeededBug("relocated-by-an-old-look")) {
      return false;
    }
    version = {seen.sequence, seen.location};
  }
  if (!version.location.exists() || version.location != from) return true;
  // It is the same record at another place, so there is no older one to keep for snapshots.
  active_->filter.Add(key.digest[0]);
  active_->keys.Insert(key.key, {version.sequence, to});
  *relocation = Relocation::kMovedLater;
  return true;
}

absl::Status BufferedIndex::WaitForRoom() {
  if (!throttled_.load(std::memory_order_acquire)) return absl::OkStatus();
  AfterWrite();
  MutexLock lock(state_mutex_);
  while (!failed_ && !closed_ && waiting_.load(std::memory_order_acquire) >= kMostFrozen) {
    // The disk of the index is full: the writer must hear of it.
    if (!status_.ok()) return status_;
    // Nothing that is not durable in the log ever goes to the index.
    if (log_->failed()) return log_->status();
    changed_.Wait(state_mutex_);
  }
  return failed_ ? status_ : absl::OkStatus();
}

void BufferedIndex::OnWritten(uint64_t sequence, Location last, uint64_t bytes) {
  last_ = last;
  log_since_freeze_ += bytes;
  if (!SeededBug("nothing-is-assumed-dead")) {
    written_since_freeze_ += bytes;
    log_->space().AssumeDead(bytes);
  }
  uint64_t memory;
  {
    SharedLock lock(buffers_mutex_);
    memory = active_->keys.MemoryBytes();
  }
  if (memory < config_.buffer_bytes && log_since_freeze_ < config_.replay_bytes) return;
  // Each of several writers that were admitted together may fill a memtable; they share the last
  // one.
  if (waiting_.load(std::memory_order_acquire) >= kMostFrozen) return;
  Freeze(sequence);
}

void BufferedIndex::OnMoved(uint64_t sequence) {
  uint64_t memory;
  {
    SharedLock lock(buffers_mutex_);
    memory = active_->keys.MemoryBytes();
  }
  if (memory < config_.buffer_bytes) return;
  if (waiting_.load(std::memory_order_acquire) < kMostFrozen) Freeze(sequence);
}

void BufferedIndex::OnFence(uint64_t sequence, Location fence) {
  if (!SeededBug("position-names-no-fence")) last_ = fence;
  Freeze(sequence);
}

void BufferedIndex::NoteCounted(LiveBytes* live) {
  ExclusiveLock lock(buffers_mutex_);
  active_->counted.swap(*live);
}

void BufferedIndex::Freeze(uint64_t position) {
  std::shared_ptr<Memtable> fresh = NewBuffer();
  {
    ExclusiveLock lock(buffers_mutex_);
    active_->position = position;
    active_->last = last_;
    active_->written_bytes = written_since_freeze_;
    frozen_.push_back(std::exchange(active_, std::move(fresh)));
    waiting_.store(frozen_.size(), std::memory_order_release);
  }
  log_since_freeze_ = 0;
  written_since_freeze_ = 0;
  {
    MutexLock lock(state_mutex_);
    UpdateThrottle();
  }
  applier_.Wake();
}

void BufferedIndex::AfterWrite() {
  if (explores_.load(std::memory_order_relaxed)) ExploreDeleted();
  if (background_) return;
  AbandonIfFailed();
  if (waiting_.load(std::memory_order_acquire) == 0) return;
  // The write itself has succeeded; what fails here is told by status() and the next write.
  (void)ApplyFrozen(Patience::kTells);
}

void BufferedIndex::Load(absl::Span<const LoadEntry> entries, LoadContext* context) {
  // A record without a location does not tell how far the memtable goes.
  if (entries.empty()) return;
  // The opening fails, as otherwise all of a large log might have to wait in memory.
  if (!status().ok()) return;
  uint64_t last = 0;
  uint64_t memory;
  {
    SharedLock lock(buffers_mutex_);
    for (const LoadEntry& entry : entries) {
      PreparedKey key(entry.key);
      Digest(&key);
      active_->filter.Add(key.digest[0]);
      last = std::max(last, entry.sequence);
      if (entry.sequence == last) last_ = entry.location;
      log_since_freeze_ += entry.location.length();
    }
    active_->keys.Load(entries, context);
    memory = active_->keys.MemoryBytes();
  }
  // What is not durable yet must wait for the first write, which commits the recovery.
  if (config_.read_only || memory < config_.buffer_bytes || last > log_->durable_sequence()) {
    return;
  }
  Freeze(last);
  (void)ApplyFrozen(Patience::kTells);
}

}  // namespace rumcask
