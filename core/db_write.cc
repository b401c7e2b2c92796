// Writing: put, delete, their conditional forms, batches and Sync.

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/attributes.h"
#include "absl/strings/str_cat.h"

#include "core/db.h"
#include "core/format/limits.h"
#include "core/plugin/keystore.h"
#include "core/store.h"
#include "core/system/seeded_bug.h"

namespace rumcask {
namespace {

// The bytes of a replaced record are dead. Inlined: every overwrite does it.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline void Debit(Store* store, Location loser) {
  if (!loser.exists()) return;
  Segment* const segment = store->segments_.segment(loser);
  std::atomic<uint64_t>& live = segment->live_bytes;
  live.store(live.load(std::memory_order_relaxed) - segment->RecordBytesAt(loser),
             std::memory_order_relaxed);
}

void Credit(Store* store, Location location, uint64_t bytes) {
  std::atomic<uint64_t>& live = store->segments_.segment(location)->live_bytes;
  live.store(live.load(std::memory_order_relaxed) + bytes, std::memory_order_relaxed);
}

void Increment(std::atomic<uint64_t>* counter) {
  counter->store(counter->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

// Makes an appended record what its key says. Returns where the key was before.
Location Publish(Store* store, const PreparedKey& key, const NewRecord& record) {
  if (record.header.kind == RecordKind::kDelete) {
    const Location before = store->keystore_->Apply(key, Location(), record.header.sequence);
    Debit(store, before);
    Increment(&store->deletes_);
    return before;
  }
  const Location before = store->keystore_->Apply(key, record.location, record.header.sequence);
  Credit(store, record.location, record.header.record_bytes());
  Debit(store, before);
  Increment(&store->puts_);
  return before;
}

NewRecord MakeRecord(RecordKind kind, std::string_view key, std::string_view value) {
  NewRecord record;
  record.header.kind = kind;
  record.header.key_bytes = static_cast<uint16_t>(key.size());
  record.header.value_bytes = static_cast<uint32_t>(value.size());
  record.key = key;
  record.value = value;
  return record;
}

}  // namespace

// One put or delete on its way, and the condition it is under.
struct DB::OneWrite {
  enum class Condition { kNone, kAbsent, kVersion };

  OneWrite(RecordKind kind, std::string_view key, std::string_view value)
      : prepared(key), record(MakeRecord(kind, key, value)) {}

  bool is_delete() const { return record.header.kind == RecordKind::kDelete; }
  bool conditional() const { return condition != Condition::kNone; }
  // Whether what is there now refuses the write.
  bool Refuses(uint64_t version) const {
    return condition == Condition::kAbsent ? version != 0 : conditional() && version != expected;
  }

  PreparedKey prepared;
  NewRecord record;
  Condition condition = Condition::kNone;
  uint64_t expected = 0;
};

// What is there already, as far as a write has to know.
struct DB::Standing {
  bool exists = false;
  Location location;
  uint64_t version = 0;                // if the write is conditional
  DiskKeystore::Observation observed;  // on a keystore on disk
};

// Looks before the lock is taken, where a slow device delays no one.
absl::Status DB::LookAhead(const OneWrite& write, Standing* standing) {
  Store* const store = store_.get();
  absl::Status status;
  if (store->disk_ != nullptr) {
    status = store->disk_->Observe(write.prepared, &standing->observed);
    if (!status.ok()) return status;
    standing->exists = standing->observed.exists;
    standing->location = standing->observed.location;
  } else {
    standing->exists = store->keystore_->Get(write.prepared, &standing->location).ok();
  }
  if (!write.conditional() || !standing->exists) return status;
  status = store->ReadVersion(write.prepared, standing->location, &standing->version);
  return status.ok() ? status : store->Report(status);
}

// Under the lock: makes sure that it is still so, or makes it so. `*again` if only a new look can
// tell. Damage is for the caller to report.
absl::Status DB::LookAgain(const OneWrite& write, Standing* standing, bool* again) {
  Store* const store = store_.get();
  Location now;
  bool exists;
  if (store->disk_ != nullptr) {
    *again = !store->disk_->Confirm(write.prepared, standing->observed, &now);
    if (*again) return absl::OkStatus();
    exists = now.exists();
  } else {
    exists = store->keystore_->Get(write.prepared, &now).ok();
  }
  const bool moved = exists && (!standing->exists || now != standing->location);
  standing->exists = exists;
  if (!exists) standing->version = 0;
  if (!moved || !write.conditional()) return absl::OkStatus();
  standing->location = now;
  return store->ReadVersion(write.prepared, now, &standing->version);
}

absl::Status DB::Apply(OneWrite* write, const WriteOptions& options, WriteResult* result) {
  Store* const store = store_.get();
  absl::Status status = store->CheckWrite(write->prepared.key);
  if (!status.ok()) return status;
  if (store->disk_ != nullptr) {
    status = store->Admit();
    if (!status.ok()) return status;
  }
  Keystore* const keystore = store->keystore_.get();
  keystore->Prepare(&write->prepared);
  // The wait for the index overlaps with the checksum.
  keystore->Prefetch(write->prepared);
  write->record.inner = InnerChecksum(write->record.key, write->record.value);

  // A keystore on disk is looked into only for those who asked; one in memory tells by the way what
  // a put replaces.
  const bool looks =
      write->conditional() || (store->disk_ != nullptr ? result != nullptr : write->is_delete());
  const bool looks_ahead = write->conditional() || (looks && store->disk_ != nullptr);
  WriteResult outcome;
  bool refused = false;
  uint64_t wait_for = 0;
  bool again = false;
  // Listeners are told of what goes wrong in there when the lock is free again.
  absl::Status damage;
  Standing standing;
  const auto locked = [&]() -> absl::Status {
    MutexLock lock(store->segments_.write_mutex());
    bool writes = true;
    if (looks) {
      damage = LookAgain(*write, &standing, &again);
      if (!damage.ok() || again) return damage;
      refused = write->Refuses(standing.version);
      outcome = {write->conditional() ? standing.version : 0, standing.exists};
      // Deleting what is not there leaves no trace.
      writes = !refused && (standing.exists || !write->is_delete());
    }
    if (writes) {
      const uint64_t bytes = write->record.header.record_bytes();
      absl::Status appended = store->segments_.Append({&write->record, 1}, bytes);
      if (!appended.ok()) return appended;
      if (SeededBug("published-apart")) {
        store->segments_.write_mutex().Unlock();
        std::this_thread::yield();
        store->segments_.write_mutex().Lock();
      }
      const Location before = Publish(store, write->prepared, write->record);
      if (store->disk_ == nullptr) outcome.existed = before.exists();
      outcome.version = write->record.header.sequence;
      if (store->disk_ != nullptr)
        store->disk_->Wrote(outcome.version, write->record.location, bytes);
    }
    wait_for = store->segments_.last_sequence();
    return absl::OkStatus();
  };
  do {
    if (looks_ahead) status = LookAhead(*write, &standing);
    if (!status.ok()) return status;
    status = locked();
  } while (again && status.ok());
  if (!status.ok()) {
    store->segments_.TellListener();
    return damage.ok() ? status : store->Report(damage);
  }
  store->AfterWrite();
  if (options.sync) {
    status = store->segments_.WaitDurable(wait_for);
    if (!status.ok()) return status;
  }
  if (result != nullptr) *result = outcome;
  if (!refused) return absl::OkStatus();
  return write->condition == OneWrite::Condition::kAbsent
             ? absl::AlreadyExistsError("key exists")
             : absl::AbortedError(
                   absl::StrCat("key is at version ", outcome.version, ", not ", write->expected));
}

absl::Status DB::Put(std::string_view key, std::string_view value, const WriteOptions& options,
                     WriteResult* result) {
  absl::Status status = Store::CheckValue(value);
  if (!status.ok()) return status;
  OneWrite write(RecordKind::kPut, key, value);
  return Apply(&write, options, result);
}

absl::Status DB::Delete(std::string_view key, const WriteOptions& options, WriteResult* result) {
  OneWrite write(RecordKind::kDelete, key, {});
  return Apply(&write, options, result);
}

absl::Status DB::PutIfAbsent(std::string_view key, std::string_view value,
                             const WriteOptions& options, WriteResult* result) {
  absl::Status status = Store::CheckValue(value);
  if (!status.ok()) return status;
  OneWrite write(RecordKind::kPut, key, value);
  write.condition = OneWrite::Condition::kAbsent;
  return Apply(&write, options, result);
}

absl::Status DB::CompareAndPut(std::string_view key, std::string_view value, uint64_t version,
                               const WriteOptions& options, WriteResult* result) {
  absl::Status status = Store::CheckValue(value);
  if (!status.ok()) return status;
  OneWrite write(RecordKind::kPut, key, value);
  write.condition = OneWrite::Condition::kVersion;
  write.expected = version;
  return Apply(&write, options, result);
}

absl::Status DB::CompareAndDelete(std::string_view key, uint64_t version,
                                  const WriteOptions& options, WriteResult* result) {
  OneWrite write(RecordKind::kDelete, key, {});
  write.condition = OneWrite::Condition::kVersion;
  write.expected = version;
  return Apply(&write, options, result);
}

absl::Status DB::Write(const WriteBatch& batch, const WriteOptions& options, WriteResult* result) {
  Store* const store = store_.get();
  absl::Status status = store->CheckWritable();
  if (!status.ok()) return status;
  if (batch.encoded_bytes() > kMaxBatchBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "batch of ", batch.encoded_bytes(), " bytes; at most ", kMaxBatchBytes, " are allowed"));
  }
  if (store->disk_ != nullptr) {
    status = store->Admit();
    if (!status.ok()) return status;
  }
  // Everything that needs no lock comes before it.
  std::vector<NewRecord> records;
  std::vector<PreparedKey> keys;
  records.reserve(batch.count());
  keys.reserve(batch.count());
  for (const WriteBatch::Operation& operation : batch.operations_) {
    const std::string_view key(batch.data_.data() + operation.begin, operation.key_bytes);
    const std::string_view value(key.data() + key.size(), operation.value_bytes);
    status = store->CheckKey(key);
    if (status.ok()) status = Store::CheckValue(value);
    if (!status.ok()) return status;
    records.push_back(
        MakeRecord(operation.is_delete ? RecordKind::kDelete : RecordKind::kPut, key, value));
    keys.emplace_back(key);
    store->keystore_->Prepare(&keys.back());
    store->keystore_->Prefetch(keys.back());
    records.back().inner = InnerChecksum(key, value);
  }
  if (records.size() > 1) {
    for (NewRecord& record : records) record.header.part = BatchPart::kMiddle;
    records.front().header.part = BatchPart::kFirst;
    records.back().header.part = BatchPart::kLast;
  }
  uint64_t last = 0;
  {
    MutexLock lock(store->segments_.write_mutex());
    if (!records.empty()) {
      status = store->segments_.Append(absl::MakeSpan(records), batch.encoded_bytes());
    }
    last = store->segments_.last_sequence();
    if (status.ok()) {
      for (size_t i = 0; i < records.size(); ++i) (void)Publish(store, keys[i], records[i]);
      if (store->disk_ != nullptr && !records.empty()) {
        store->disk_->Wrote(last, records.back().location, batch.encoded_bytes());
      }
    }
  }
  if (!status.ok()) {
    store->segments_.TellListener();
    return status;
  }
  store->AfterWrite();
  if (options.sync) {
    status = store->segments_.WaitDurable(last);
    if (!status.ok()) return status;
  }
  if (result != nullptr) *result = {records.empty() ? 0 : records.back().header.sequence, false};
  return absl::OkStatus();
}

absl::Status DB::Sync() {
  absl::Status status = store_->CheckWritable();
  if (!status.ok()) return status;
  uint64_t last = 0;
  {
    MutexLock lock(store_->segments_.write_mutex());
    last = store_->segments_.last_sequence();
  }
  return store_->segments_.WaitDurable(last);
}

}  // namespace rumcask
