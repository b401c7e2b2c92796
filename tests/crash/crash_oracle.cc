#include "tests/crash/crash_oracle.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "core/format/format.h"
#include "core/stats.h"

namespace rumcask {
namespace {

void Apply(const std::vector<CrashOracle::Operation>& operations, State* state) {
  for (const auto& [key, value] : operations) {
    if (value.has_value()) {
      (*state)[key] = *value;
    } else {
      state->erase(key);
    }
  }
}

std::string Difference(const State& found, const State& expected) {
  for (const auto& [key, value] : expected) {
    auto it = found.find(key);
    if (it == found.end()) return absl::StrCat("key ", key, " is missing");
    if (it->second != value) {
      return absl::StrCat("key ", key, " has ", it->second.substr(0, 20), " instead of ",
                          value.substr(0, 20));
    }
  }
  for (const auto& [key, value] : found) {
    if (expected.count(key) == 0) return absl::StrCat("key ", key, " should not be there");
  }
  return "no difference";
}

}  // namespace

CrashOracle::CrashOracle(const CrashOracle& other, const Promise& promise) {
  MutexLock other_lock(other.mutex_);
  MutexLock lock(mutex_);
  writes_ = other.writes_;
  synced_ = promise.synced;
  returned_ = promise.returned;
}

absl::Status CrashOracle::Record(std::vector<Operation> operations, bool sync,
                                 const WriteResult& result, absl::Status status) {
  if (!status.ok()) return status;
  MutexLock lock(mutex_);
  // Version 0: nothing was written, but a sync covers what had been observed.
  if (result.version != 0) writes_[result.version] = {result.version, std::move(operations)};
  returned_ = std::max(returned_, result.version);
  if (sync) synced_ = std::max(synced_, result.version);
  return status;
}

absl::Status CrashOracle::Put(const std::string& key, const std::string& value, bool sync) {
  WriteResult result;
  const absl::Status status = db_->Put(key, value, {sync}, &result);
  return Record({{key, value}}, sync, result, status);
}

absl::Status CrashOracle::Delete(const std::string& key, bool sync) {
  const uint64_t before = promise().returned;
  WriteResult result;
  const absl::Status status = db_->Delete(key, {sync}, &result);
  if (status.ok() && sync && result.version == 0) {
    // Nothing to append, but what it had observed is durable.
    MutexLock lock(mutex_);
    synced_ = std::max(synced_, before);
  }
  return Record({{key, std::nullopt}}, sync, result, status);
}

absl::Status CrashOracle::Write(const std::vector<Operation>& operations, bool sync) {
  WriteBatch batch;
  for (const auto& [key, value] : operations) {
    if (value.has_value()) {
      batch.Put(key, *value);
    } else {
      batch.Delete(key);
    }
  }
  WriteResult result;
  const absl::Status status = db_->Write(batch, {sync}, &result);
  return Record(operations, sync, result, status);
}

absl::Status CrashOracle::Sync() {
  const uint64_t before = promise().returned;
  const absl::Status status = db_->Sync();
  if (!status.ok()) return status;
  MutexLock lock(mutex_);
  synced_ = std::max(synced_, before);
  return status;
}

absl::Status CrashOracle::Close() {
  const absl::Status status = db_->Close();
  if (!status.ok()) return status;
  MutexLock lock(mutex_);
  synced_ = returned_;
  return status;
}

void CrashOracle::Forget(uint64_t above) {
  MutexLock lock(mutex_);
  writes_.erase(writes_.upper_bound(above), writes_.end());
  returned_ = std::min(returned_, above);
}

Promise CrashOracle::promise() const {
  MutexLock lock(mutex_);
  return {returned_, synced_};
}

uint64_t CrashOracle::last_version() const {
  MutexLock lock(mutex_);
  return writes_.empty() ? 0 : writes_.rbegin()->first;
}

State CrashOracle::StateAt(uint64_t version) const {
  MutexLock lock(mutex_);
  State state;
  for (const auto& [v, written] : writes_) {
    if (v <= version) Apply(written.operations, &state);
  }
  return state;
}

bool CrashOracle::Explains(const State& found, uint64_t floor, uint64_t* cut,
                           std::string* why) const {
  MutexLock lock(mutex_);
  State state;
  bool explained = floor == 0 && found.empty();
  *cut = 0;
  std::string at_floor = explained ? "" : "the database is not empty";
  for (const auto& [version, written] : writes_) {
    Apply(written.operations, &state);
    if (version < floor) continue;
    if (version == floor || at_floor.empty()) at_floor = Difference(found, state);
    if (state == found) {
      explained = true;
      *cut = version;
    }
  }
  *why = absl::StrCat("no prefix of the writes through version ", floor, " or later has these ",
                      found.size(), " keys; against that version: ", at_floor);
  return explained;
}

absl::Status ReadAll(DB* db, State* state) {
  auto it = db->NewIterator();
  if (!it.ok()) return it.status();
  for (; (*it)->Valid(); (*it)->Next()) {
    if (!state->emplace((*it)->key(), (*it)->value()).second) {
      return absl::InternalError("iterator returned a key twice");
    }
  }
  if (!(*it)->status().ok()) return (*it)->status();
  if (db->GetStats().keys_exact && db->KeyCount() != state->size()) {
    return absl::InternalError("count differs from iteration");
  }
  std::string value;
  for (const auto& [key, expected] : *state) {
    const absl::Status status = db->Get(key, &value);
    if (!status.ok()) return status;
    if (value != expected) return absl::InternalError("get and iterator differ");
  }
  return absl::OkStatus();
}

}  // namespace rumcask
