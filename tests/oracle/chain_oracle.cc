#include "tests/oracle/chain_oracle.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"

namespace rumcask {
namespace {

bool Equal(const ChainOracle::Entry& a, const ChainOracle::Entry& b) {
  return a.value == b.value && (a.version == b.version || a.version == 0 || b.version == 0);
}

bool Equal(const ChainOracle::State& a, const ChainOracle::State& b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](const auto& x, const auto& y) {
           return x.first == y.first && Equal(x.second, y.second);
         });
}

std::string Show(const ChainOracle::State& state, const std::string& key) {
  const auto at = state.find(key);
  if (at == state.end()) return "nothing";
  return absl::StrCat("\"", at->second.value.substr(0, 12), "\" of version ", at->second.version);
}

}  // namespace

std::string ChainPromise::ToString() const {
  return absl::StrCat("returned ", returned, ", vouched for ", vouched, " by ", VoucherName(by));
}

std::string ChainOracle::Wrote(uint64_t version, Operations operations) {
  const uint64_t first = version - (operations.size() - 1);
  if (first <= highest_) {
    return absl::StrCat("version ", first, " is given out again; ", highest_, " was the highest");
  }
  highest_ = version;
  uint64_t next = first;
  for (const auto& operation : operations) last_versions_[operation.first] = next++;
  writes_.push_back({version, true, true, std::move(operations)});
  MutexLock lock(mutex_);
  promise_.returned = version;
  return "";
}

void ChainOracle::Failed(Operations operations) {
  writes_.push_back({promise().returned, false, false, std::move(operations)});
}

void ChainOracle::Vouch(Voucher by, uint64_t version) {
  MutexLock lock(mutex_);
  if (version <= promise_.vouched) return;
  promise_.vouched = version;
  promise_.by = by;
}

void ChainOracle::Forget(const ChainPromise& promise) {
  highest_told_ = std::max(highest_told_, promise.returned);
  highest_ = highest_told_;
  MutexLock lock(mutex_);
  promise_ = promise;
}

ChainPromise ChainOracle::promise() const {
  MutexLock lock(mutex_);
  return promise_;
}

uint64_t ChainOracle::LastVersionOf(const std::string& key) const {
  const auto at = last_versions_.find(key);
  return at == last_versions_.end() ? 0 : at->second;
}

ChainOracle::State ChainOracle::Now() const {
  State state = base_;
  for (const Written& write : writes_) {
    if (write.ok) Apply(write, &state);
  }
  return state;
}

size_t ChainOracle::failed_writes() const {
  return static_cast<size_t>(std::count_if(writes_.begin(), writes_.end(),
                                           [](const Written& write) { return !write.ok; }));
}

void ChainOracle::Apply(const Written& write, State* state) {
  uint64_t version = write.version - (write.operations.size() - 1);
  for (const auto& [key, value] : write.operations) {
    if (value.has_value()) {
      (*state)[key] = {*value, write.versioned ? version : 0};
    } else {
      state->erase(key);
    }
    ++version;
  }
}

bool ChainOracle::Matches(const State& found, uint64_t floor, uint64_t kept, size_t* fewest,
                          size_t* count) const {
  size_t least = 0;
  for (size_t i = 0; i < writes_.size(); ++i) {
    if (writes_[i].ok && writes_[i].version <= floor) least = i + 1;
  }
  State state = base_;
  bool matches = false;
  for (size_t i = 0;; ++i) {
    // The last of all that match is taken: the most that can have survived.
    if (i >= least && Equal(state, found)) {
      if (!matches) *fewest = i;
      *count = i;
      matches = true;
    }
    if (i == writes_.size()) return matches;
    if (writes_[i].ok || (kept & 1) != 0) Apply(writes_[i], &state);
    if (!writes_[i].ok) kept >>= 1;
  }
}

std::string ChainOracle::Difference(const State& found, uint64_t floor) const {
  State state = base_;
  for (const Written& write : writes_) {
    if (write.ok && write.version <= floor) Apply(write, &state);
  }
  for (const auto& [key, entry] : state) {
    const auto at = found.find(key);
    if (at != found.end() && Equal(at->second, entry)) continue;
    return absl::StrCat("key ", key, " has ", Show(found, key), " instead of ", Show(state, key));
  }
  for (const auto& [key, entry] : found) {
    if (state.count(key) == 0) return absl::StrCat("key ", key, " has ", Show(found, key));
  }
  return "no difference";
}

std::string ChainOracle::Settle(const State& found, uint64_t floor) {
  const size_t failed = failed_writes();
  size_t fewest = 0;
  size_t count = 0;
  uint64_t kept = 0;
  bool matches = false;
  for (; !matches && kept < (uint64_t{1} << failed); ++kept) {
    matches = Matches(found, floor, kept, &fewest, &count);
  }
  if (!matches) {
    uint64_t newest = 0;
    for (const auto& [key, entry] : found) newest = std::max(newest, entry.version);
    return absl::StrCat("no prefix of the writes through version ", floor, " or later has these ",
                        found.size(), " keys, the newest of version ", newest,
                        "; against that version: ", Difference(found, floor));
  }
  --kept;
  // A put and a delete of its key may leave what was there before: then neither need be.
  for (size_t i = 0; i < fewest; ++i) {
    if (writes_[i].ok) highest_ = std::max(highest_, writes_[i].version);
  }
  std::vector<Written> writes;
  for (size_t i = 0; i < count; ++i) {
    if (writes_[i].ok) {
      writes.push_back(writes_[i]);
      continue;
    }
    // It happened after all, or it never will have; with the numbers after those of the write
    // before it, which nobody was told and nothing has vouched for.
    if ((kept & 1) != 0) {
      Written write = writes_[i];
      write.ok = true;
      write.version += write.operations.size();
      writes.push_back(write);
    }
    kept >>= 1;
  }
  // Nothing takes back what is vouched for, so that it needs no history.
  const uint64_t vouched = promise().vouched;
  State state = base_;
  size_t settled = 0;
  while (settled < writes.size() && writes[settled].version <= vouched && vouched > 0) {
    Apply(writes[settled++], &state);
  }
  writes.erase(writes.begin(), writes.begin() + static_cast<ptrdiff_t>(settled));
  base_ = std::move(state);
  writes_ = std::move(writes);
  const uint64_t last = writes_.empty() ? vouched : std::max(vouched, writes_.back().version);
  for (auto it = last_versions_.begin(); it != last_versions_.end();) {
    it = it->second > last ? last_versions_.erase(it) : std::next(it);
  }
  MutexLock lock(mutex_);
  promise_.returned = last;
  return "";
}

}  // namespace rumcask
