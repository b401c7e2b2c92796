// Writing: put, delete, their conditional forms, batches and Sync.

#include <algorithm>
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
#include "core/system/reader_epoch.h"
#include "core/system/seeded_bug.h"

namespace rumcask {
namespace {

void Increment(std::atomic<uint64_t>* counter) {
  counter->store(counter->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

// Lets other threads see a record that is in the log and not in the keystore.
void LetOthersIn(Mutex* write_mutex) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  write_mutex->Unlock();
  std::this_thread::yield();
  write_mutex->Lock();
}

// To be called under the write lock: makes an appended record its key's newest. Returns the key's
// previous location, as far as the keystore reports it.
Location Publish(Store* store, const PreparedKey& key, const NewRecord& record) {
  if (SeededBug("published-apart")) LetOthersIn(&store->log_.write_mutex());
  if (record.header.is_tombstone()) {
    const Location before = store->keystore_->Set(key, Location(), record.header.sequence);
    store->log_.space().CreditTombstone(record.location, record.header.record_bytes());
    store->log_.space().Debit(before);
    Increment(&store->deletes_);
    return before;
  }
  const Location before = store->keystore_->Set(key, record.location, record.header.sequence);
  store->log_.space().Credit(record.location, record.header.record_bytes());
  store->log_.space().Debit(before);
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

enum class Condition { kNone, kAbsent, kVersion };

// One put or delete, and its condition.
struct PendingWrite {
  PendingWrite(RecordKind kind, std::string_view key, std::string_view value)
      : prepared(key), record(MakeRecord(kind, key, value)) {}

  bool is_delete() const { return record.header.is_tombstone(); }
  bool conditional() const { return condition != Condition::kNone; }
  // Whether the condition fails for a key at that version, which is 0 if the key is absent.
  bool RefusedBy(uint64_t version) const {
    return condition == Condition::kAbsent ? version != 0 : conditional() && version != expected;
  }

  PreparedKey prepared;
  NewRecord record;
  Condition condition = Condition::kNone;
  uint64_t expected = 0;
};

// The current state of a write's key, as far as the write needs it.
struct Current {
  CurrentState state;
  uint64_t version = 0;  // if the write is conditional
};

// Reads the key's current state without the write lock, so that a slow disk does not stall other
// writers. To be called in the ReaderScope in which it is used. Sets `*damage` to an error that the
// caller must report.
ABSL_ATTRIBUTE_NOINLINE absl::Status ReadCurrent(Store* store, const PendingWrite& write,
                                                 Current* current, absl::Status* damage) {
  absl::Status status = store->index_.ReadCurrent(write.prepared, &current->state);
  if (!status.ok() || !write.conditional() || !current->state.exists) return status;
  *damage = store->ReadVersion(write.prepared, current->state.location, &current->version);
  return *damage;
}

// To be called under the write lock: brings what was read up to date. Sets `*again` if only another
// ReadCurrent can. An error is damage, which the caller reports once the lock is released.
ABSL_ATTRIBUTE_NOINLINE absl::Status Revalidate(Store* store, const PendingWrite& write,
                                                Current* current, bool* again) {
  Location now;
  *again = !store->index_.Revalidate(write.prepared, current->state, &now);
  if (*again) return absl::OkStatus();
  const bool exists = now.exists();
  const bool moved = exists && (!current->state.exists || now != current->state.location);
  current->state.exists = exists;
  if (!exists) current->version = 0;
  if (!moved || !write.conditional()) return absl::OkStatus();
  current->state.location = now;
  return store->ReadVersion(write.prepared, now, &current->version);
}

ABSL_ATTRIBUTE_NOINLINE absl::Status Refusal(const PendingWrite& write, uint64_t version) {
  return write.condition == Condition::kAbsent
             ? absl::AlreadyExistsError("key exists")
             : absl::AbortedError(
                   absl::StrCat("key is at version ", version, ", not ", write.expected));
}

// The first append of an opening fails, as the log is still as recovery found it. Changing that
// takes time, so it is done here, without the write lock. OK if the write may be tried again;
// otherwise the error for the caller. `damage` is what Revalidate met.
ABSL_ATTRIBUTE_NOINLINE absl::Status GoOnAfter(Store* store, absl::Status failure,
                                               const absl::Status& damage) {
  if (damage.ok() && absl::IsUnavailable(failure)) failure = store->log_.BeginWriting();
  if (failure.ok()) return failure;
  store->log_.TellListener();
  return damage.ok() ? failure : store->Report(damage);
}

// Puts, deletes and their conditional forms.
absl::Status WriteOne(Store* store, PendingWrite* write, const WriteOptions& options,
                      WriteResult* result) {
  absl::Status status = store->CheckWrite(write->prepared.key);
  if (status.ok()) status = store->WaitForRoom(/*adds=*/!write->is_delete());
  if (!status.ok()) return status;
  Keystore* const keystore = store->keystore_.get();
  keystore->Digest(&write->prepared);
  // The wait for the index overlaps with the checksum.
  keystore->Prefetch(write->prepared);
  write->record.inner = InnerChecksum(write->record.key, write->record.value);

  // A conditional write needs the key's state, and so does a delete, which writes nothing if the
  // key is absent. If the index must be read for it, an unconditional delete does so only if the
  // caller wants a result.
  const bool reports_replaced = store->index_.reports_replaced();
  const bool revalidates =
      write->conditional() || (reports_replaced ? write->is_delete() : result != nullptr);
  const bool reads_current = write->conditional() || (revalidates && !reports_replaced);
  Current current;
  WriteResult outcome;
  bool refused = false;
  bool again = false;
  uint64_t wait_for = 0;
  absl::Status damage;
  const auto write_locked = [&]() -> absl::Status {
    MutexLock lock(store->log_.write_mutex());
    bool writes = true;
    if (revalidates) {
      damage = Revalidate(store, *write, &current, &again);
      if (!damage.ok() || again) return damage;
      refused = write->RefusedBy(current.version);
      outcome = {write->conditional() ? current.version : 0, current.state.exists};
      writes = !refused && (current.state.exists || !write->is_delete());
    }
    if (writes) {
      const uint64_t bytes = write->record.header.record_bytes();
      absl::Status appended = store->log_.Append({&write->record, 1}, bytes);
      if (!appended.ok()) return appended;
      const Location before = Publish(store, write->prepared, write->record);
      if (reports_replaced) outcome.existed = before.exists();
      outcome.version = write->record.header.sequence;
      store->index_.OnWritten(outcome.version, write->record.location, bytes);
    }
    wait_for = store->log_.last_sequence();
    return absl::OkStatus();
  };
  for (;;) {
    // What a condition sees must not be retired and its place taken by another record before the
    // condition is decided.
    ReaderScope reading(reads_current && !SeededBug("conditions-not-announced"));
    if (reads_current) {
      status = ReadCurrent(store, *write, &current, &damage);
      if (!status.ok()) {
        reading.Leave();
        return damage.ok() ? status : store->Report(damage);
      }
    }
    status = write_locked();
    reading.Leave();
    if (status.ok() && !again) break;
    if (!status.ok()) status = GoOnAfter(store, std::move(status), damage);
    if (!status.ok()) return status;
  }
  store->AfterWrite();
  if (options.sync) {
    status = store->log_.WaitDurable(wait_for);
    if (!status.ok()) return status;
  }
  if (result != nullptr) *result = outcome;
  return refused ? Refusal(*write, outcome.version) : absl::OkStatus();
}

}  // namespace

absl::Status DB::Put(std::string_view key, std::string_view value, const WriteOptions& options,
                     WriteResult* result) {
  absl::Status status = Store::CheckValue(value);
  if (!status.ok()) return status;
  PendingWrite write(RecordKind::kPut, key, value);
  return WriteOne(store_.get(), &write, options, result);
}

absl::Status DB::Delete(std::string_view key, const WriteOptions& options, WriteResult* result) {
  PendingWrite write(RecordKind::kDelete, key, {});
  return WriteOne(store_.get(), &write, options, result);
}

absl::Status DB::PutIfAbsent(std::string_view key, std::string_view value,
                             const WriteOptions& options, WriteResult* result) {
  absl::Status status = Store::CheckValue(value);
  if (!status.ok()) return status;
  PendingWrite write(RecordKind::kPut, key, value);
  write.condition = Condition::kAbsent;
  return WriteOne(store_.get(), &write, options, result);
}

absl::Status DB::CompareAndPut(std::string_view key, std::string_view value, uint64_t version,
                               const WriteOptions& options, WriteResult* result) {
  absl::Status status = Store::CheckValue(value);
  if (!status.ok()) return status;
  PendingWrite write(RecordKind::kPut, key, value);
  write.condition = Condition::kVersion;
  write.expected = version;
  return WriteOne(store_.get(), &write, options, result);
}

absl::Status DB::CompareAndDelete(std::string_view key, uint64_t version,
                                  const WriteOptions& options, WriteResult* result) {
  PendingWrite write(RecordKind::kDelete, key, {});
  write.condition = Condition::kVersion;
  write.expected = version;
  return WriteOne(store_.get(), &write, options, result);
}

absl::Status DB::Write(const WriteBatch& batch, const WriteOptions& options, WriteResult* result) {
  Store* const store = store_.get();
  absl::Status status = store->CheckWritable();
  if (!status.ok()) return status;
  if (batch.encoded_bytes() > kMaxBatchBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "batch of ", batch.encoded_bytes(), " bytes; at most ", kMaxBatchBytes, " are allowed"));
  }
  const bool adds =
      std::any_of(batch.operations_.begin(), batch.operations_.end(),
                  [](const WriteBatch::Operation& operation) { return !operation.is_delete; });
  status = store->WaitForRoom(adds);
  if (!status.ok()) return status;
  // What needs no lock is done before it is acquired.
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
    store->keystore_->Digest(&keys.back());
    store->keystore_->Prefetch(keys.back());
    records.back().inner = InnerChecksum(key, value);
  }
  if (records.size() > 1) {
    for (NewRecord& record : records) record.header.part = BatchPart::kMiddle;
    records.front().header.part = BatchPart::kFirst;
    records.back().header.part = BatchPart::kLast;
  }
  if (!records.empty() && !store->log_.is_begun()) status = store->log_.BeginWriting();
  uint64_t last = 0;
  if (status.ok()) {
    MutexLock lock(store->log_.write_mutex());
    if (!records.empty()) {
      status = store->log_.Append(absl::MakeSpan(records), batch.encoded_bytes());
    }
    last = store->log_.last_sequence();
    if (status.ok()) {
      for (size_t i = 0; i < records.size(); ++i) (void)Publish(store, keys[i], records[i]);
      if (!records.empty()) {
        store->index_.OnWritten(last, records.back().location, batch.encoded_bytes());
      }
    }
  }
  if (!status.ok()) {
    store->log_.TellListener();
    return status;
  }
  store->AfterWrite();
  if (options.sync) {
    status = store->log_.WaitDurable(last);
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
    MutexLock lock(store_->log_.write_mutex());
    last = store_->log_.last_sequence();
  }
  return store_->log_.WaitDurable(last);
}

}  // namespace rumcask
