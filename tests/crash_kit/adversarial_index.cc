#include "tests/crash_kit/adversarial_index.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/index/index_entry.h"
#include "core/plugin/disk_index.h"

namespace rumcask {
namespace {

constexpr size_t kMostFlushed = 8;

// Changes the content of the position note.
template <typename Change>
AdversarialDisk::Image WithPosition(const AdversarialDisk::Image& image, Change change) {
  auto state = std::make_shared<AdversarialDisk::State>(*image);
  IndexPosition position;
  (void)DecodeIndexPosition(state->notes[IndexPosition::kNote], &position);
  change(&position);
  state->notes[IndexPosition::kNote] = EncodeIndexPosition(position);
  return state;
}

template <typename Iterator>
void Copy(Iterator it, Iterator end, size_t limit, IndexRows* rows) {
  for (; it != end && rows->size() < limit; ++it) rows->Add(it->first, it->second);
}

}  // namespace

const char* IndexFateName(IndexFate fate) {
  constexpr const char* kNames[] = {"latest",  "prefix", "flushed", "older",  "newer",
                                    "foreign", "empty",  "too new", "broken", "without entries"};
  return kNames[static_cast<int>(fate)];
}

class AdversarialDisk::Index : public DiskIndex {
 public:
  Index(std::shared_ptr<AdversarialDisk> disk, bool reports_replaced)
      : disk_(std::move(disk)), reports_replaced_(reports_replaced) {}

  absl::Status Get(std::string_view key, std::string* value) const override {
    absl::Status status = disk_->Begin();
    if (!status.ok()) return status;
    disk_->Observe("get");
    const Image now = Now();
    disk_->Observe("got");
    const auto it = now->entries.find(std::string(key));
    if (it == now->entries.end()) return absl::Status(absl::StatusCode::kNotFound, "");
    *value = it->second;
    return absl::OkStatus();
  }

  absl::Status Scan(const KeyRange& range, size_t limit, IndexRows* rows) const override {
    rows->Clear();
    absl::Status status = disk_->Begin();
    if (!status.ok()) return status;
    const Image now = Now();
    const std::string lower(range.lower);
    const std::string upper(range.upper);
    if (!upper.empty() && upper <= lower) return absl::OkStatus();
    const auto& map = now->entries;
    const auto begin = range.after_lower ? map.upper_bound(lower) : map.lower_bound(lower);
    const auto end = upper.empty() ? map.end() : map.lower_bound(upper);
    if (range.reverse) {
      Copy(std::make_reverse_iterator(end), std::make_reverse_iterator(begin), limit, rows);
    } else {
      Copy(begin, end, limit, rows);
    }
    disk_->Observe("scanned");
    return absl::OkStatus();
  }

  absl::Status Commit(IndexBatch* batch) override {
    absl::Status status = disk_->Begin();
    if (!status.ok()) return status;
    auto next = std::make_shared<State>(*Now());
    const std::vector<IndexChange>& changes = batch->changes();
    for (size_t i = 0; i < changes.size(); ++i) {
      const std::string key(changes[i].key);
      const auto it = next->entries.find(key);
      if (batch->wants_replaced() &&
          !batch->Accepts(i, it == next->entries.end() ? std::string_view() : it->second)) {
        continue;
      }
      if (changes[i].value.empty()) {
        next->entries.erase(key);
      } else {
        next->entries[key] = std::string(changes[i].value);
      }
    }
    for (const IndexNote& note : batch->Notes()) next->notes[note.name] = note.value;
    {
      MutexLock lock(disk_->mutex_);
      if (!disk_->apply_error_.ok()) return disk_->apply_error_;
      disk_->history_.push_back(std::move(next));
      ++disk_->applied_;
    }
    disk_->Observe("apply");
    return absl::OkStatus();
  }

  absl::Status Flush() override {
    absl::Status status = disk_->Begin();
    if (!status.ok()) return status;
    {
      MutexLock lock(disk_->mutex_);
      if (disk_->history_.empty()) return absl::OkStatus();
      if (disk_->lagging_ > 0) {
        --disk_->lagging_;
        return absl::OkStatus();
      }
      disk_->flushed_.push_back(disk_->history_.back());
      disk_->history_ = {disk_->flushed_.back()};
      if (disk_->flushed_.size() > kMostFlushed) disk_->flushed_.erase(disk_->flushed_.begin());
    }
    disk_->Observe("flush");
    return absl::OkStatus();
  }

  absl::Status GetNote(std::string_view name, bool durable, std::string* value) const override {
    absl::Status status = disk_->Begin();
    if (!status.ok()) return status;
    Image image = Now();
    if (durable) {
      MutexLock lock(disk_->mutex_);
      image = disk_->flushed_.empty() ? std::make_shared<State>() : disk_->flushed_.back();
    }
    const auto it = image->notes.find(std::string(name));
    if (it == image->notes.end()) return absl::Status(absl::StatusCode::kNotFound, "");
    *value = it->second;
    return absl::OkStatus();
  }

  uint64_t KeyCount() const override { return Now()->entries.size(); }
  bool counts_exactly() const override { return true; }
  bool reports_replaced() const override { return reports_replaced_; }
  uint64_t MemoryBytes() const override { return 0; }
  uint64_t FileBytes() const override { return Now()->entries.size(); }

 private:
  Image Now() const {
    MutexLock lock(disk_->mutex_);
    return disk_->history_.empty() ? std::make_shared<State>() : disk_->history_.back();
  }

  const std::shared_ptr<AdversarialDisk> disk_;
  const bool reports_replaced_;
};

KeystoreFactory AdversarialDisk::Keystore(const std::string& name, bool reports_replaced) {
  KeystoreFactory factory;
  factory.traits.name = name;
  factory.traits.ordered = true;
  factory.traits.persistent = true;
  const std::shared_ptr<AdversarialDisk> disk = shared_from_this();
  factory.open_index =
      [disk, reports_replaced](
          const DiskIndexConfig& config) -> absl::StatusOr<std::unique_ptr<DiskIndex>> {
    absl::Status status = disk->Begin();
    if (!status.ok()) return status;
    {
      MutexLock lock(disk->mutex_);
      if (disk->broken_) return absl::DataLossError("the index is broken");
      if (config.read_only && disk->history_.empty()) return absl::NotFoundError("");
    }
    return std::unique_ptr<DiskIndex>(new Index(disk, reports_replaced));
  };
  factory.remove_index = [disk](const std::string&) {
    MutexLock lock(disk->mutex_);
    disk->history_.clear();
    disk->flushed_.clear();
    disk->broken_ = false;
    return absl::OkStatus();
  };
  return factory;
}

std::shared_ptr<AdversarialDisk> AdversarialDisk::Cut(IndexFate fate, uint64_t seed) const {
  std::mt19937_64 random(seed);
  const auto disk = Make();
  MutexLock lock(mutex_);
  MutexLock cut_lock(disk->mutex_);
  disk->broken_ = fate == IndexFate::kBroken;
  if (history_.empty() || fate == IndexFate::kEmpty) return disk;
  Image image = history_.back();
  switch (fate) {
    case IndexFate::kLatest:
    case IndexFate::kEmpty:
    case IndexFate::kBroken:
      break;
    case IndexFate::kPrefix:
      image = history_[random() % history_.size()];
      break;
    case IndexFate::kFlushed:
      image = flushed_.empty() ? nullptr : flushed_.back();
      break;
    case IndexFate::kOlder:
      image = flushed_.empty() ? nullptr : flushed_[random() % flushed_.size()];
      break;
    case IndexFate::kNewer:
      image = WithPosition(
          image, [](IndexPosition* position) { position->sequence += uint64_t{1} << 50; });
      break;
    case IndexFate::kForeign:
      image = WithPosition(image, [](IndexPosition* position) { ++position->incarnation; });
      break;
    case IndexFate::kTooNew:
      image = WithPosition(image, [](IndexPosition* position) { ++position->format; });
      break;
    case IndexFate::kNoEntries: {
      auto state = std::make_shared<State>(*image);
      state->entries.clear();
      // Without a witness, as when the last change deleted that key, nobody could notice.
      IndexWitness witness;
      (void)DecodeIndexWitness(state->notes[IndexWitness::kNote], &witness);
      if (witness.key.empty()) state->notes.clear();
      image = state;
      break;
    }
  }
  if (image == nullptr) return disk;
  disk->history_ = {image};
  disk->flushed_ = {image};
  return disk;
}

void AdversarialDisk::SetObserver(std::function<void(const char* what)> observer) {
  MutexLock lock(mutex_);
  observer_ = std::move(observer);
}

void AdversarialDisk::Observe(const char* what) const {
  std::function<void(const char*)> observer;
  {
    MutexLock lock(mutex_);
    observer = observer_;
  }
  if (observer) observer(what);
}

void AdversarialDisk::FailApply(absl::Status status) {
  MutexLock lock(mutex_);
  apply_error_ = std::move(status);
}

void AdversarialDisk::Lag(uint64_t flushes) {
  MutexLock lock(mutex_);
  lagging_ = flushes;
}

uint64_t AdversarialDisk::lagging() const {
  MutexLock lock(mutex_);
  return lagging_;
}

AdversarialDisk::Counts AdversarialDisk::FailCalls(uint64_t call, absl::Status status,
                                                   bool for_ever) {
  MutexLock lock(mutex_);
  const Counts before = {calls_, failed_calls_};
  calls_ = failed_calls_ = 0;
  first_failing_ = call;
  call_error_ = std::move(status);
  fails_for_ever_ = for_ever;
  return before;
}

absl::Status AdversarialDisk::Begin() {
  MutexLock lock(mutex_);
  ++calls_;
  if (call_error_.ok() || calls_ < first_failing_) return absl::OkStatus();
  if (calls_ > first_failing_ && !fails_for_ever_) return absl::OkStatus();
  ++failed_calls_;
  return call_error_;
}

uint64_t AdversarialDisk::calls() const {
  MutexLock lock(mutex_);
  return calls_;
}

uint64_t AdversarialDisk::failed_calls() const {
  MutexLock lock(mutex_);
  return failed_calls_;
}

void AdversarialDisk::Tamper(const std::function<void(State*)>& change) {
  MutexLock lock(mutex_);
  auto state =
      history_.empty() ? std::make_shared<State>() : std::make_shared<State>(*history_.back());
  change(state.get());
  history_.push_back(std::move(state));
}

uint64_t AdversarialDisk::applied() const {
  MutexLock lock(mutex_);
  return applied_;
}

AdversarialDisk::State AdversarialDisk::latest() const {
  MutexLock lock(mutex_);
  return history_.empty() ? State() : *history_.back();
}

}  // namespace rumcask
