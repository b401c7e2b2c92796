#include "core/disk_keystore.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "xxhash.h"

#include "core/seeded_bug.h"
#include "core/snapshot_scan.h"

namespace rumcask {
namespace {

// Frozen buffers beyond which writers wait: one is being applied and one is next.
constexpr size_t kMostFrozen = 2;
// How long a full disk is left alone.
constexpr std::chrono::milliseconds kRetry(100);

absl::Status Missing() { return absl::Status(absl::StatusCode::kNotFound, ""); }

}  // namespace

DiskKeystore::DiskKeystore(std::unique_ptr<DiskIndex> index, SegmentSet* segments, Config config,
                           std::function<void()> forsake)
    : config_(std::move(config)),
      segments_(segments),
      forsake_(std::move(forsake)),
      exact_(index->looks_cheaply()),
      past_(config_.max_undo_bytes),
      live_(config_.live),
      witness_(config_.witness),
      active_(NewBuffer()),
      index_(std::move(index)),
      position_(config_.position) {
  if (config_.read_only || !config_.background) return;
  // Without a thread the writers do it, as if there were to be none.
  (void)applier_.Start(kRetry, [this](bool) { (void)ApplyFrozen(); });
}

DiskKeystore::~DiskKeystore() { applier_.Stop(); }

// ---- reading ----

void DiskKeystore::Prepare(PreparedKey* key) const {
  key->digest[0] = XXH3_64bits(key->key.data(), key->key.size());
}

bool DiskKeystore::FindInBuffers(const PreparedKey& key, KeyVersion* version) const {
  const uint64_t digest = key.digest[0];
  SharedLock lock(buffers_mutex_);
  if (active_->filter.MayHave(digest) && active_->keys.Get(key.key, version)) return true;
  for (auto it = frozen_.rbegin(); it != frozen_.rend(); ++it) {
    if ((*it)->filter.MayHave(digest) && (*it)->keys.Get(key.key, version)) return true;
  }
  return false;
}

absl::Status DiskKeystore::Closed() const {
  return absl::FailedPreconditionError("database is closed");
}

absl::Status DiskKeystore::FindInIndex(std::string_view key, KeyVersion* version) const {
  static thread_local std::string value;
  absl::Status status;
  {
    SharedLock lock(index_mutex_);
    if (index_ == nullptr) return Closed();
    status = index_->Get(key, &value);
  }
  if (status.ok()) return Decode(value, version);
  if (absl::IsDataLoss(status)) Failed(status);
  return status;
}

absl::Status DiskKeystore::Decode(std::string_view value, KeyVersion* version) const {
  IndexEntry entry;
  if (!DecodeIndexEntry(value, &entry)) {
    absl::Status status =
        absl::DataLossError(absl::StrCat("the index of ", config_.name, " has a damaged entry"));
    Failed(status);
    return status;
  }
  uint32_t slot = 0;
  bool known = false;
  const auto look = [&]() ABSL_SHARED_LOCKS_REQUIRED(slots_mutex_) {
    const auto it = slots_.find(entry.segment_id);
    known = it != slots_.end();
    if (known) slot = it->second;
  };
  {
    SharedLock lock(slots_mutex_);
    look();
  }
  if (!known) {
    ExclusiveLock lock(slots_mutex_);
    for (const std::shared_ptr<Segment>& segment : segments_->table().All()) {
      slots_[segment->id()] = segment->slot();
    }
    const auto it = slots_.find(entry.segment_id);
    known = it != slots_.end();
    if (known) slot = it->second;
  }
  if (!known || entry.offset < kSegmentHeaderBytes || entry.offset > Location::kMaxOffset) {
    absl::Status status = absl::DataLossError(
        absl::StrCat("the index of ", config_.name, " points to ", SegmentName(entry.segment_id),
                     " offset ", entry.offset, ", which the database does not have"));
    Failed(status);
    return status;
  }
  version->sequence = entry.sequence;
  version->location = Location::Make(slot, entry.offset, entry.length);
  return absl::OkStatus();
}

IndexEntry DiskKeystore::EntryFor(const KeyVersion& version) const {
  return {version.sequence, segments_->segment(version.location)->id(), version.location.offset(),
          version.location.length()};
}

absl::Status DiskKeystore::Get(const PreparedKey& key, Location* location) const {
  KeyVersion version;
  if (SeededBug("index-before-buffers")) {
    absl::Status status = FindInIndex(key.key, &version);
    if (!FindInBuffers(key, &version) && !status.ok()) return status;
  } else if (!FindInBuffers(key, &version)) {
    absl::Status status = FindInIndex(key.key, &version);
    if (!status.ok()) return status;
  }
  if (!version.location.exists()) return Missing();
  *location = version.location;
  return absl::OkStatus();
}

absl::Status DiskKeystore::GetAt(const KeystoreSnapshot& snapshot, const PreparedKey& key,
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
  // Last: whatever has been replaced since one of the looks above is there by now.
  bool is_past = false;
  absl::Status status = past_.Find(snapshot, key.key, &is_past, &seen);
  if (!status.ok()) return status;
  if ((!found && !is_past) || !seen.location.exists()) return Missing();
  *location = seen.location;
  return absl::OkStatus();
}

absl::Status DiskKeystore::ScanIndex(const KeyRange& range, size_t limit, KeyBlock* block) const {
  block->Clear();
  IndexRows rows;
  absl::Status status;
  {
    SharedLock lock(index_mutex_);
    if (index_ == nullptr) return Closed();
    status = index_->Scan(range, limit, &rows);
  }
  if (absl::IsDataLoss(status)) Failed(status);
  for (size_t i = 0; status.ok() && i < rows.size(); ++i) {
    KeyVersion version;
    status = Decode(rows.value(i), &version);
    if (status.ok()) block->Add(rows.key(i), version.location, version.sequence);
  }
  return status;
}

absl::Status DiskKeystore::Scan(const KeystoreSnapshot& snapshot, const KeyRange& range,
                                size_t limit, KeyBlock* block) const {
  std::vector<std::shared_ptr<WriteBuffer>> buffers;
  {
    SharedLock lock(buffers_mutex_);
    buffers.push_back(active_);
    buffers.insert(buffers.end(), frozen_.rbegin(), frozen_.rend());
  }
  std::vector<FetchKeys> sources;
  for (const std::shared_ptr<WriteBuffer>& buffer : buffers) {
    sources.emplace_back([&buffer](const KeyRange& rest, size_t count, KeyBlock* keys) {
      buffer->keys.Scan(rest, count, keys);
      return absl::OkStatus();
    });
  }
  sources.emplace_back([this](const KeyRange& rest, size_t count, KeyBlock* keys) {
    return ScanIndex(rest, count, keys);
  });
  return ScanSnapshot(sources, past_, snapshot, range, limit, block);
}

// ---- conditions ----

absl::Status DiskKeystore::Observe(const PreparedKey& key, Observation* seen) const {
  seen->generation = generation_.load(std::memory_order_acquire);
  seen->location = Location();
  absl::Status status = Get(key, &seen->location);
  seen->exists = status.ok();
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

bool DiskKeystore::Confirm(const PreparedKey& key, const Observation& seen, Location* now) const {
  KeyVersion version;
  if (FindInBuffers(key, &version)) {
    *now = version.location;
    return true;
  }
  // A buffer that had the key may have gone since, or have come and gone.
  if (generation_.load(std::memory_order_acquire) != seen.generation) return false;
  *now = seen.location;
  return true;
}

// ---- writing ----

Location DiskKeystore::Apply(const PreparedKey& key, Location location, uint64_t sequence) {
  // Under the write lock nobody exchanges the buffer.
  SharedLock lock(buffers_mutex_);
  active_->filter.Add(key.digest[0]);
  return active_->keys.Apply(key.key, location, sequence);
}

bool DiskKeystore::Relocate(const PreparedKey& key, Location from, Location to) {
  SharedLock lock(buffers_mutex_);
  return active_->keys.Relocate(key.key, from, to);
}

absl::Status DiskKeystore::Admit() {
  if (!throttled_.load(std::memory_order_acquire)) return absl::OkStatus();
  if (!config_.background) AfterWrite();
  MutexLock lock(state_mutex_);
  while (!failed_ && !closed_ && waiting_.load(std::memory_order_acquire) >= kMostFrozen) {
    // A full disk: who wants to write shall hear of it.
    if (!status_.ok()) return status_;
    changed_.Wait(state_mutex_);
  }
  return failed_ ? status_ : absl::OkStatus();
}

void DiskKeystore::Wrote(uint64_t sequence, uint64_t bytes) {
  log_since_freeze_ += bytes;
  uint64_t memory;
  {
    SharedLock lock(buffers_mutex_);
    memory = active_->keys.MemoryBytes();
  }
  if (memory >= config_.buffer_bytes || log_since_freeze_ >= config_.replay_bytes) Freeze(sequence);
}

void DiskKeystore::Freeze(uint64_t position) {
  std::shared_ptr<WriteBuffer> fresh = NewBuffer();
  {
    ExclusiveLock lock(buffers_mutex_);
    active_->position = position;
    frozen_.push_back(std::exchange(active_, std::move(fresh)));
    waiting_.store(frozen_.size(), std::memory_order_release);
  }
  log_since_freeze_ = 0;
  if (waiting_.load(std::memory_order_relaxed) >= kMostFrozen) {
    throttled_.store(true, std::memory_order_release);
  }
  applier_.Wake();
}

void DiskKeystore::AfterWrite() {
  if (config_.background || waiting_.load(std::memory_order_acquire) == 0) return;
  // The write itself has succeeded; what fails here is told by status() and the next write.
  (void)ApplyFrozen();
}

void DiskKeystore::Load(absl::Span<const LoadEntry> entries, LoadContext* context) {
  // Tells nothing of how far the buffer goes.
  if (entries.empty()) return;
  uint64_t last = 0;
  uint64_t memory;
  {
    SharedLock lock(buffers_mutex_);
    for (const LoadEntry& entry : entries) {
      PreparedKey key(entry.key);
      Prepare(&key);
      active_->filter.Add(key.digest[0]);
      last = std::max(last, entry.sequence);
      log_since_freeze_ += entry.location.length();
    }
    active_->keys.Load(entries, context);
    memory = active_->keys.MemoryBytes();
  }
  // What is not durable yet must wait for the first write, which sees to that.
  if (config_.read_only || memory < config_.buffer_bytes || last > segments_->durable_sequence()) {
    return;
  }
  Freeze(last);
  (void)ApplyFrozen();
}

// ---- state ----

uint64_t DiskKeystore::KeyCount() const {
  SharedLock lock(index_mutex_);
  return index_ == nullptr ? 0 : index_->KeyCount();
}

uint64_t DiskKeystore::MemoryBytes() const {
  uint64_t bytes = past_.Usage().undo_bytes;
  {
    SharedLock lock(buffers_mutex_);
    bytes += active_->keys.MemoryBytes();
    for (const std::shared_ptr<WriteBuffer>& buffer : frozen_) bytes += buffer->keys.MemoryBytes();
  }
  SharedLock lock(index_mutex_);
  return bytes + (index_ == nullptr ? 0 : index_->MemoryBytes());
}

uint64_t DiskKeystore::IndexFileBytes() const {
  SharedLock lock(index_mutex_);
  return index_ == nullptr ? 0 : index_->FileBytes();
}

absl::Status DiskKeystore::status() const {
  MutexLock lock(state_mutex_);
  return status_;
}

void DiskKeystore::Failed(const absl::Status& status) const {
  const bool final = !absl::IsResourceExhausted(status);
  {
    MutexLock lock(state_mutex_);
    if (failed_) return;
    failed_ = final;
    status_ = absl::Status(
        final ? absl::StatusCode::kFailedPrecondition : absl::StatusCode::kResourceExhausted,
        absl::StrCat(final ? "the index takes no more writes and will be built anew: "
                           : "the index has no room: ",
                     status.message()));
    throttled_.store(true, std::memory_order_release);
  }
  changed_.NotifyAll();
  if (final) forsake_();
}

void DiskKeystore::NoteProgress() {
  {
    MutexLock lock(state_mutex_);
    if (!failed_) {
      status_ = absl::OkStatus();
      if (waiting_.load(std::memory_order_acquire) < kMostFrozen) {
        throttled_.store(false, std::memory_order_release);
      }
    }
  }
  changed_.NotifyAll();
}

absl::Status DiskKeystore::Close() {
  {
    MutexLock lock(state_mutex_);
    if (closed_) return absl::OkStatus();
    closed_ = true;
  }
  changed_.NotifyAll();
  applier_.Stop();
  absl::Status status;
  if (!config_.read_only) {
    {
      MutexLock lock(segments_->write_mutex());
      const uint64_t last = segments_->last_sequence();
      bool empty;
      {
        SharedLock buffers(buffers_mutex_);
        empty = active_->keys.size() == 0;
      }
      // What was only found at opening may not be durable, and stays for the next one.
      if (!empty && last <= segments_->durable_sequence()) Freeze(last);
    }
    status = ApplyFrozen();
  }
  ExclusiveLock lock(index_mutex_);
  index_.reset();
  return status;
}

}  // namespace rumcask
