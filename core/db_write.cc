// Writing: put, delete, their conditional forms, batches and Sync.

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "absl/strings/str_cat.h"

#include "core/db.h"
#include "core/format/limits.h"
#include "core/plugin/keystore.h"
#include "core/store.h"
#include "core/system/reader_epoch.h"
#include "core/system/seeded_bug.h"

namespace rumcask {
namespace {

// After so many looks at what a batch requires, what has changed again is read under the write
// lock.
constexpr int kRounds = 4;

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

// The current state of a key, as far as a write needs it.
struct Current {
  CurrentState state;
  uint64_t version = 0;  // 0 if the key is absent, or if only its existence matters
};

// Reads the key's current state without the write lock, so that a slow disk does not stall other
// writers. To be called in the ReaderScope in which it is used. Sets `*damage` to an error that the
// caller must report.
ABSL_ATTRIBUTE_NOINLINE absl::Status ReadCurrent(Store* store, const PreparedKey& key,
                                                 bool needs_version, Current* current,
                                                 absl::Status* damage) {
  current->version = 0;
  absl::Status status = store->index_.ReadCurrent(key, &current->state);
  if (!status.ok() || !needs_version || !current->state.exists) return status;
  *damage = store->ReadVersion(key, current->state.location, &current->version);
  return *damage;
}

// To be called under the write lock: brings what was read up to date. Sets `*again` if only another
// ReadCurrent can, or if there is a record to be read and it `may_read` none. An error is damage,
// which the caller reports once the lock is released.
ABSL_ATTRIBUTE_NOINLINE absl::Status Revalidate(Store* store, const PreparedKey& key,
                                                bool needs_version, bool may_read, Current* current,
                                                bool* again) {
  Location now;
  *again = !store->index_.Revalidate(key, current->state, &now);
  if (*again) return absl::OkStatus();
  const bool exists = now.exists();
  const bool moved = exists && (!current->state.exists || now != current->state.location);
  *again = moved && needs_version && !may_read;
  if (*again) return absl::OkStatus();
  current->state.exists = exists;
  if (!exists) current->version = 0;
  if (!moved || !needs_version) return absl::OkStatus();
  current->state.location = now;
  return store->ReadVersion(key, now, &current->version);
}

absl::Status WrongVersion(const std::string& what, uint64_t version, uint64_t expected) {
  return absl::AbortedError(absl::StrCat(what, " is at version ", version, ", not ", expected));
}

ABSL_ATTRIBUTE_NOINLINE absl::Status Refusal(const PendingWrite& write, uint64_t version) {
  // A message would be an allocation, and who loses a race for a key often does so many times.
  if (write.condition == Condition::kAbsent) return {absl::StatusCode::kAlreadyExists, ""};
  return WrongVersion("key", version, write.expected);
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

// Calls `read(&damage)` without the write lock, if `reads`, and then `write(&damage, &again)`,
// which acquires it, until the latter is OK and sets no `again`, or there is an error that does not
// go away. If it `reads`, the thread is announced meanwhile, so that nothing that `read` sees is
// retired, and its place taken by another record, before `write` has decided.
template <typename Read, typename Write>
ABSL_ATTRIBUTE_ALWAYS_INLINE inline absl::Status UntilDecided(Store* store, bool reads,
                                                              const Read& read,
                                                              const Write& write) {
  for (;;) {
    absl::Status damage;
    bool again = false;
    ReaderScope reading(reads && !SeededBug("conditions-not-announced"));
    // Each step has a status of its own, as assigning to one costs more than checking a new one.
    if (reads) {
      if (absl::Status status = read(&damage); !status.ok()) {
        reading.Leave();
        return damage.ok() ? status : store->Report(damage);
      }
    }
    absl::Status decided = write(&damage, &again);
    reading.Leave();
    if (ABSL_PREDICT_TRUE(decided.ok())) {
      if (!again) return decided;
    } else if (absl::Status status = GoOnAfter(store, std::move(decided), damage); !status.ok()) {
      return status;
    }
  }
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
  uint64_t wait_for = 0;
  const auto read = [&](absl::Status* damage) {
    return ReadCurrent(store, write->prepared, write->conditional(), &current, damage);
  };
  const auto write_locked = [&](absl::Status* damage, bool* again) -> absl::Status {
    MutexLock lock(store->log_.write_mutex());
    bool writes = true;
    if (revalidates) {
      *damage = Revalidate(store, write->prepared, write->conditional(), /*may_read=*/true,
                           &current, again);
      if (!damage->ok() || *again) return *damage;
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
  if (absl::Status decided = UntilDecided(store, reads_current, read, write_locked);
      !decided.ok()) {
    return decided;
  }
  store->AfterWrite();
  if (options.sync) {
    status = store->log_.WaitDurable(wait_for);
    if (!status.ok()) return status;
  }
  if (result != nullptr) *result = outcome;
  return refused ? Refusal(*write, outcome.version) : absl::OkStatus();
}

// A batch, and its requirements.
struct PendingBatch {
  bool adds = false;
  std::vector<PreparedKey> keys;
  std::vector<NewRecord> records;
  std::vector<PreparedKey> required;
  std::vector<Current> current;  // of the required keys
};

// Checks the batch, and does what needs no lock. It refers to the batch's keys and values.
absl::Status Prepare(Store* store, const WriteBatch& batch, PendingBatch* pending) {
  if (batch.encoded_bytes() > kMaxBatchBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "batch of ", batch.encoded_bytes(), " bytes; at most ", kMaxBatchBytes, " are allowed"));
  }
  const auto prepare = [store](std::string_view key, std::vector<PreparedKey>* keys) {
    absl::Status status = store->CheckKey(key);
    if (!status.ok()) return status;
    keys->emplace_back(key);
    store->keystore_->Digest(&keys->back());
    store->keystore_->Prefetch(keys->back());
    return status;
  };
  pending->required.reserve(batch.requirement_count());
  for (size_t i = 0; i < batch.requirement_count(); ++i) {
    absl::Status status = prepare(batch.requirement(i).key, &pending->required);
    if (!status.ok()) return status;
  }
  pending->current.resize(batch.requirement_count());
  pending->keys.reserve(batch.count());
  std::vector<NewRecord>& records = pending->records;
  records.reserve(batch.count());
  for (size_t i = 0; i < batch.count(); ++i) {
    const WriteBatch::Operation operation = batch.operation(i);
    absl::Status status = prepare(operation.key, &pending->keys);
    if (status.ok()) status = Store::CheckValue(operation.value);
    if (!status.ok()) return status;
    if (!operation.is_delete) pending->adds = true;
    records.push_back(MakeRecord(operation.is_delete ? RecordKind::kDelete : RecordKind::kPut,
                                 operation.key, operation.value));
    records.back().inner = InnerChecksum(operation.key, operation.value);
  }
  if (records.size() > 1) {
    for (NewRecord& record : records) record.header.part = BatchPart::kMiddle;
    records.front().header.part = BatchPart::kFirst;
    records.back().header.part = BatchPart::kLast;
  }
  return absl::OkStatus();
}

// To be called under the write lock: counts the requirements that hold before the first that does
// not. The write lock is for as little as possible, so what has changed since it was looked at is
// looked at again without it. With many keys on a slow disk that might go on for ever, because
// there is always one that changes; hence, in the `last_round`, it is done under the lock. Sets
// `*damage` to an error that the caller must report.
absl::Status CountHolding(Store* store, const WriteBatch& batch, bool last_round,
                          PendingBatch* pending, absl::Status* damage, bool* again,
                          size_t* holding) {
  for (*holding = 0; *holding < pending->required.size(); ++*holding) {
    const PreparedKey& key = pending->required[*holding];
    Current* const current = &pending->current[*holding];
    if (!SeededBug("requirements-not-revalidated")) {
      *damage = Revalidate(store, key, /*needs_version=*/true, last_round, current, again);
      if (!damage->ok()) return *damage;
      if (*again && last_round) {
        *again = false;
        absl::Status status = ReadCurrent(store, key, /*needs_version=*/true, current, damage);
        if (status.ok()) {
          // No buffer is merged into the index while this thread holds the lock.
          *damage = status =
              Revalidate(store, key, /*needs_version=*/true, /*may_read=*/true, current, again);
        }
        if (!status.ok()) return status;
      }
      if (*again) return absl::OkStatus();
    }
    if (current->version != batch.requirement(*holding).version) break;
  }
  return absl::OkStatus();
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
  PendingBatch pending;
  if (status.ok()) status = Prepare(store, batch, &pending);
  if (status.ok() && !batch.empty()) status = store->WaitForRoom(pending.adds);
  if (!status.ok()) return status;
  std::vector<NewRecord>& records = pending.records;
  size_t holding = 0;
  uint64_t wait_for = 0;
  int rounds = 0;
  const auto read = [&](absl::Status* damage) {
    ++rounds;
    for (size_t i = 0; i < pending.required.size(); ++i) {
      absl::Status current = ReadCurrent(store, pending.required[i], /*needs_version=*/true,
                                         &pending.current[i], damage);
      if (!current.ok()) return current;
    }
    return absl::OkStatus();
  };
  const auto write_locked = [&](absl::Status* damage, bool* again) -> absl::Status {
    MutexLock lock(store->log_.write_mutex());
    absl::Status counted =
        CountHolding(store, batch, rounds >= kRounds, &pending, damage, again, &holding);
    if (!counted.ok() || *again) return counted;
    if (holding == pending.required.size() && !records.empty()) {
      absl::Status appended = store->log_.Append(absl::MakeSpan(records), batch.encoded_bytes());
      if (!appended.ok()) return appended;
      for (size_t i = 0; i < records.size(); ++i) (void)Publish(store, pending.keys[i], records[i]);
      store->index_.OnWritten(store->log_.last_sequence(), records.back().location,
                              batch.encoded_bytes());
    }
    wait_for = store->log_.last_sequence();
    return absl::OkStatus();
  };
  status = UntilDecided(store, !pending.required.empty(), read, write_locked);
  if (!status.ok()) return status;
  store->AfterWrite();
  if (options.sync) {
    status = store->log_.WaitDurable(wait_for);
    if (!status.ok()) return status;
  }
  if (holding < pending.required.size()) {
    const uint64_t version = pending.current[holding].version;
    if (result != nullptr) *result = {version, version != 0};
    return WrongVersion(
        absl::StrCat("requirement ", holding + 1, " of ", pending.required.size(), ": key"),
        version, batch.requirement(holding).version);
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
