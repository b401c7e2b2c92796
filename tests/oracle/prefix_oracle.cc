#include "tests/oracle/prefix_oracle.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace rumcask {
PrefixOracle::PrefixOracle(const PrefixOracle& other, const Promise& promise) {
  MutexLock other_lock(other.mutex_);
  MutexLock lock(mutex_);
  writes_ = other.writes_;
  synced_ = promise.synced;
  returned_ = promise.returned;
}

absl::Status PrefixOracle::Record(Operations operations, bool sync, const WriteResult& result,
                                  absl::Status status) {
  if (!status.ok()) return status;
  MutexLock lock(mutex_);
  // Version 0: nothing was written, but a sync covers what had been observed.
  if (result.version != 0) writes_[result.version] = {result.version, std::move(operations)};
  returned_ = std::max(returned_, result.version);
  if (sync) synced_ = std::max(synced_, result.version);
  return status;
}

absl::Status PrefixOracle::Put(const std::string& key, const std::string& value, bool sync) {
  WriteResult result;
  const absl::Status status = db_->Put(key, value, {sync}, &result);
  return Record({{key, value}}, sync, result, status);
}

absl::Status PrefixOracle::Delete(const std::string& key, bool sync) {
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

absl::Status PrefixOracle::Write(const Operations& operations, bool sync) {
  if (operations.size() == 1 && !operations.front().second.has_value()) {
    return Delete(operations.front().first, sync);
  }
  WriteResult result;
  const absl::Status status = Perform(operations, db_, {sync}, &result);
  return Record(operations, sync, result, status);
}

absl::Status PrefixOracle::Sync() {
  const uint64_t before = promise().returned;
  const absl::Status status = db_->Sync();
  if (!status.ok()) return status;
  MutexLock lock(mutex_);
  synced_ = std::max(synced_, before);
  return status;
}

absl::Status PrefixOracle::Close() {
  const absl::Status status = db_->Close();
  if (!status.ok()) return status;
  MutexLock lock(mutex_);
  synced_ = returned_;
  return status;
}

void PrefixOracle::Forget(uint64_t above) {
  MutexLock lock(mutex_);
  writes_.erase(writes_.upper_bound(above), writes_.end());
  returned_ = std::min(returned_, above);
}

Promise PrefixOracle::promise() const {
  MutexLock lock(mutex_);
  return {returned_, synced_};
}

uint64_t PrefixOracle::last_version() const {
  MutexLock lock(mutex_);
  return writes_.empty() ? 0 : writes_.rbegin()->first;
}

State PrefixOracle::StateAt(uint64_t version) const {
  MutexLock lock(mutex_);
  State state;
  for (const auto& [v, written] : writes_) {
    if (v <= version) Apply(written.operations, &state);
  }
  return state;
}

uint64_t PrefixOracle::LastWriteThrough(uint64_t version) const {
  MutexLock lock(mutex_);
  const auto above = writes_.upper_bound(version);
  return above == writes_.begin() ? 0 : std::prev(above)->first;
}

bool PrefixOracle::Explains(const State& found, const Versions& versions, uint64_t floor,
                            uint64_t* cut, std::string* why) const {
  MutexLock lock(mutex_);
  State state;
  Versions known;
  bool explained = floor == 0 && found.empty();
  *cut = 0;
  std::string at_floor = explained ? "" : "the database is not empty";
  for (const auto& [version, written] : writes_) {
    Apply(written.operations, &state);
    // Each operation has a version of its own.
    uint64_t own = version - written.operations.size();
    for (const auto& [key, value] : written.operations) {
      ++own;
      if (value.has_value()) {
        known[key] = own;
      } else {
        known.erase(key);
      }
    }
    if (version < floor) continue;
    if (version == floor || at_floor.empty()) at_floor = Difference(found, state);
    if (state == found && known != versions) {
      at_floor = "the values are right, but their versions are not";
    } else if (state == found) {
      explained = true;
      *cut = version;
    }
  }
  *why = absl::StrCat("no prefix of the writes through version ", floor, " or later has these ",
                      found.size(), " keys; against that version: ", at_floor);
  return explained;
}

}  // namespace rumcask
