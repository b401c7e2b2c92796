#include "core/db.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/plugin/keystore.h"
#include "core/store.h"
#include "core/system/reader_epoch.h"
#include "core/system/seeded_bug.h"

namespace rumcask {
namespace {

// Values of this size or more are pinned, smaller ones copied: a pin is an allocation and two
// counters, and keeps its segment.
constexpr size_t kPinnedBytes = 256;
// MultiGet works in groups of about as many keys as a core can have cache misses under way.
constexpr size_t kGroup = 32;

// Assigns to a string that is reused. Mostly its values are of one size, and then a copy suffices.
void Assign(std::string_view value, std::string* to) {
  if (to->size() == value.size()) {
    std::memcpy(to->data(), value.data(), value.size());
  } else {
    to->assign(value);
  }
}

// Whether a key may be a view of one of the values, which is taken for granted if it lies between
// the lowest and the highest byte of them all. An exact answer would take a search for each key.
bool MayShareBytes(absl::Span<const std::string_view> keys,
                   const std::vector<std::string>& values) {
  uintptr_t lowest = UINTPTR_MAX, highest = 0;
  for (const std::string& value : values) {
    const uintptr_t begin = reinterpret_cast<uintptr_t>(value.data());
    lowest = std::min(lowest, begin);
    highest = std::max(highest, begin + value.size());
  }
  if (highest <= lowest) return false;
  return std::any_of(keys.begin(), keys.end(), [=](std::string_view key) {
    return reinterpret_cast<uintptr_t>(key.data()) - lowest < highest - lowest;
  });
}

}  // namespace

// ---- reading ----

template <typename Take>
inline absl::Status DB::Read(std::string_view key, const ReadOptions& options, Take take) {
  // Each step has a status of its own, as assigning to one costs more than checking a new one.
  if (absl::Status status = store_->CheckRead(key); !status.ok()) return status;
  PreparedKey prepared(key);
  store_->keystore_->Digest(&prepared);
  ReaderScope reading(!SeededBug("reads-not-announced"));
  Location location;
  if (absl::Status status = options.snapshot == nullptr
                                ? store_->keystore_->Get(prepared, &location)
                                : FindAt(*options.snapshot, prepared, &location);
      !status.ok()) {
    return status;
  }
  RecordView record;
  if (absl::Status status = store_->ReadRecord(prepared, location, ThreadRecordBuffer(), &record);
      !status.ok()) {
    // The listener may do what waits for readers.
    reading.Leave();
    return store_->Report(std::move(status));
  }
  take(location, record);
  return absl::OkStatus();
}

absl::Status DB::Get(std::string_view key, std::string* value, const ReadOptions& options,
                     uint64_t* version) {
  absl::Status status = Read(key, options, [&](Location /*location*/, const RecordView& record) {
    Assign(record.value(), value);
    if (version != nullptr) *version = record.header.sequence;
  });
  if (version != nullptr && absl::IsNotFound(status)) *version = 0;
  return status;
}

absl::StatusOr<std::string> DB::Get(std::string_view key, const ReadOptions& options) {
  std::string value;
  absl::Status status = Get(key, &value, options);
  if (!status.ok()) return status;
  return value;
}

absl::Status DB::Get(std::string_view key, PinnedValue* value, const ReadOptions& options) {
  // The key may be a view of what `*value` holds, so that is kept until the record was found.
  absl::Status status = Read(key, options, [&](Location location, const RecordView& record) {
    value->Clear();
    value->version_ = record.header.sequence;
    const SegmentPin segment = store_->log_.Pin(location);
    if (!segment->reads_mapped() || record.header.value_bytes < kPinnedBytes) {
      value->owned_.assign(record.value());
      value->bytes_ = value->owned_;
      return;
    }
    value->pin_ = segment.Keep(record.bytes);
    value->bytes_ = record.value();
  });
  if (!status.ok()) value->Clear();
  return status;
}

absl::StatusOr<bool> DB::Exists(std::string_view key, const ReadOptions& options) {
  absl::Status status = store_->CheckRead(key);
  if (!status.ok()) return status;
  PreparedKey prepared(key);
  store_->keystore_->Digest(&prepared);
  const ReaderScope reading;
  Location location;
  status = options.snapshot == nullptr ? store_->keystore_->Get(prepared, &location)
                                       : FindAt(*options.snapshot, prepared, &location);
  if (absl::IsNotFound(status)) return false;
  if (!status.ok()) return status;
  return true;
}

void DB::MultiGet(absl::Span<const std::string_view> keys, std::vector<std::string>* values,
                  std::vector<absl::Status>* statuses, const ReadOptions& options) {
  // The keys may be views of what the vectors hold. Old messages are kept until the end. Values are
  // replaced one after the other, so keys that may be views of them are copied.
  std::vector<absl::Status> before;
  if (std::any_of(statuses->begin(), statuses->end(),
                  [](const absl::Status& status) { return !status.ok(); })) {
    before.swap(*statuses);
  }
  statuses->assign(keys.size(), store_->CheckUsable());
  std::string copies;
  const bool copied = MayShareBytes(keys, *values);
  if (copied) {
    size_t bytes = 0;
    for (const std::string_view key : keys) bytes += key.size();
    copies.reserve(bytes);
    for (const std::string_view key : keys) copies.append(key);
  }
  const char* copy = copies.data();
  values->resize(keys.size());
  if (keys.empty() || !statuses->front().ok()) return;
  PreparedKey prepared[kGroup];
  Location locations[kGroup];
  for (size_t begin = 0; begin < keys.size(); begin += kGroup) {
    const size_t count = std::min(kGroup, keys.size() - begin);
    absl::Status* const status = statuses->data() + begin;
    // Passes, so that each key's wait for memory overlaps with the others'.
    for (size_t i = 0; i < count; ++i) {
      prepared[i].key = keys[begin + i];
      if (copied) {
        prepared[i].key = {copy, prepared[i].key.size()};
        copy += prepared[i].key.size();
      }
      // Assigned only if there is an error, for the reason given in Find.
      if (absl::Status bad = store_->CheckKey(prepared[i].key); !bad.ok()) {
        status[i] = std::move(bad);
        continue;
      }
      store_->keystore_->Digest(&prepared[i]);
      store_->keystore_->Prefetch(prepared[i]);
    }
    bool damaged[kGroup] = {};
    bool any_damaged = false;
    {
      const ReaderScope reading;
      for (size_t i = 0; i < count; ++i) {
        if (!status[i].ok()) continue;
        absl::Status found = options.snapshot == nullptr
                                 ? store_->keystore_->Get(prepared[i], &locations[i])
                                 : FindAt(*options.snapshot, prepared[i], &locations[i]);
        if (!found.ok()) status[i] = std::move(found);
      }
      for (size_t i = 0; i < count; ++i) {
        if (status[i].ok()) store_->log_.Pin(locations[i])->Touch(locations[i]);
      }
      for (size_t i = 0; i < count; ++i) {
        if (!status[i].ok()) continue;
        RecordView record;
        absl::Status read =
            store_->ReadRecord(prepared[i], locations[i], ThreadRecordBuffer(), &record);
        if (read.ok()) {
          Assign(record.value(), &(*values)[begin + i]);
        } else {
          status[i] = std::move(read);
          damaged[i] = any_damaged = true;
        }
      }
    }
    for (size_t i = 0; any_damaged && i < count; ++i) {
      if (damaged[i]) status[i] = store_->Report(std::move(status[i]));
    }
  }
}

// ---- state ----

uint64_t DB::KeyCount() const {
  return store_->in_forked_child() ? 0 : store_->keystore_->KeyCount();
}

absl::Status DB::BackgroundStatus() const {
  if (store_->in_forked_child()) return store_->CheckUsable();
  absl::Status status = store_->log_.status();
  return status.ok() ? store_->index_.status() : status;
}

absl::Status DB::Close() {
  if (store_->in_forked_child()) return store_->CheckUsable();
  store_->closed_.store(true, std::memory_order_release);
  absl::Status result;
  {
    const LogStatus::Quiet quiet;
    MutexLock lock(store_->close_mutex_);
    if (!store_->close_result_.has_value()) {
      if (store_->controller_ != nullptr) store_->controller_->Stop();
      store_->close_result_ = store_->log_.Close();
      absl::Status status = store_->index_.Close();
      if (store_->close_result_->ok()) store_->close_result_ = std::move(status);
      store_->log_.FreezeManifest();
      store_->lock_.reset();
      store_->keystore_->FinishForgetting();
    }
    result = *store_->close_result_;
  }
  store_->log_.TellListener();
  return result;
}

DB::~DB() {
  if (store_ == nullptr) return;
  if (store_->in_forked_child()) {
    // The files, locks and threads belong to the parent process, so nothing is touched.
    (void)new std::shared_ptr<Store>(std::move(store_));
    return;
  }
  (void)Close();
}

}  // namespace rumcask
