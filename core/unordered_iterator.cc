#include "core/unordered_iterator.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "core/plugin/keystore.h"
#include "core/system/reader_epoch.h"

namespace rumcask {
namespace {

absl::Status SnapshotGivenUp() {
  return absl::ResourceExhaustedError(
      "the snapshot was given up: it and older ones kept more memory than max_undo_bytes, or too "
      "much of the log");
}

}  // namespace

UnorderedIterator::UnorderedIterator(std::shared_ptr<Store> store,
                                     std::shared_ptr<const KeystoreSnapshot> snapshot,
                                     IteratorOptions options)
    : store_(std::move(store)),
      snapshot_(std::move(snapshot)),
      options_(std::move(options)),
      cursor_(store_->keystore_->NewCursor(snapshot_)),
      registration_(store_->held_locations_.Add(this)) {
  Next();
}

UnorderedIterator::~UnorderedIterator() {
  if (!store_->in_forked_child()) {
    store_->held_locations_.Remove(registration_);
    return;
  }
  (void)cursor_.release();
  ReleaseUnlessForked(std::move(store_), std::move(snapshot_));
}

void UnorderedIterator::Replace(NewPlace new_place) {
  for (size_t i = at_; i < locations_.size(); ++i) locations_[i] = new_place(locations_[i]);
}

bool UnorderedIterator::Fill() {
  if (at_ == locations_.size()) {
    absl::Status status = cursor_->Next(&locations_);
    at_ = 0;
    if (!status.ok()) {
      locations_.clear();
      status_ = std::move(status);  // in place of damage: the walk does not go on
    }
    if (locations_.empty()) return false;
  }
  const std::vector<Location>& ahead = locations_;
  readahead_.Touch(store_->log_, at_, ahead.size(), [&](size_t i) {
    mutex_.AssertHeld();
    return ahead[i];
  });
  return true;
}

void UnorderedIterator::Next() {
  valid_ = false;
  if (store_->in_forked_child()) {
    status_ = store_->CheckUsable();
    return;
  }
  while (!valid_) {
    absl::Status damage;
    {
      MutexLock lock(mutex_);
      const ReaderScope reading;
      if (!Fill()) return;
      const Location location = locations_[at_++];
      if (!location.exists()) {
        // Nothing but the snapshot saw the record.
        status_ = SnapshotGivenUp();
        locations_.clear();
        at_ = 0;
        return;
      }
      damage = Read(location);
    }
    if (damage.ok()) continue;
    damage = store_->Report(std::move(damage));
    if (status_.ok()) status_ = std::move(damage);
  }
}

absl::Status UnorderedIterator::Read(Location location) {
  absl::Status status = store_->ReadPut(location, record_.buffer(), record_.view());
  if (!status.ok() || !InRange(record_.key())) return status;
  const RecordHeader& header = record_.view()->header;
  record_.Keep(store_->log_.Pin(location),
               options_.keys_only ? kRecordHeaderBytes + header.key_bytes : header.record_bytes());
  valid_ = true;
  return status;
}

bool UnorderedIterator::InRange(std::string_view key) const {
  return key >= options_.lower && (options_.upper.empty() || key < options_.upper);
}

void UnorderedIterator::Refuse() {
  valid_ = false;
  status_ = absl::UnimplementedError(absl::StrCat(
      "keystore ", store_->options_.keystore->traits.name, " keeps no order of keys to move in"));
}

}  // namespace rumcask
