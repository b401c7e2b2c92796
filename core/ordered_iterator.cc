#include "core/ordered_iterator.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/plugin/keystore.h"
#include "core/system/reader_epoch.h"

namespace rumcask {
namespace {

// The first block is small, so that a short scan does not pay for many keys, and blocks grow, so
// that a long one does not pay for many blocks.
constexpr size_t kFirstBlock = 16;
constexpr size_t kLongestBlock = 512;

}  // namespace

OrderedIterator::OrderedIterator(std::shared_ptr<Store> store,
                                 std::shared_ptr<const KeystoreSnapshot> snapshot,
                                 IteratorOptions options)
    : store_(std::move(store)),
      snapshot_(std::move(snapshot)),
      options_(std::move(options)),
      block_keys_(kFirstBlock),
      registration_(store_->held_locations_.Add(this)) {
  SeekToFirst();
}

OrderedIterator::~OrderedIterator() {
  if (!store_->in_forked_child()) store_->held_locations_.Remove(registration_);
  ReleaseUnlessForked(std::move(store_), std::move(snapshot_));
}

void OrderedIterator::Replace(NewPlace new_place) {
  for (size_t i = 0; i < block_.size(); ++i) block_.set_location(i, new_place(block_.location(i)));
}

void OrderedIterator::SeekToFirst() {
  reverse_ = false;
  Start({options_.lower, options_.upper});
}

void OrderedIterator::SeekToLast() {
  reverse_ = true;
  Start({options_.lower, options_.upper, /*after_lower=*/false, /*reverse=*/true});
}

void OrderedIterator::Seek(std::string_view target) {
  reverse_ = false;
  Start({std::max(target, std::string_view(options_.lower)), options_.upper});
}

void OrderedIterator::Start(const KeyRange& range) {
  block_keys_ = kFirstBlock;
  Fetch(range);
  Settle();
}

void OrderedIterator::Fetch(const KeyRange& range) {
  if (store_->in_forked_child()) {
    // No lock is touched, as a thread of the parent may hold it.
    block_.Clear();
    status_ = store_->CheckUsable();
    complete_ = true;
    at_ = 0;
    return;
  }
  KeyBlock next;  // the range may refer to a key in block_
  MutexLock lock(mutex_);
  const ReaderScope reading;
  absl::Status status = store_->keystore_->Scan(*snapshot_, range, block_keys_, &next);
  if (!status.ok()) {
    next.Clear();
    status_ = std::move(status);  // in place of damage: the walk does not go on
  }
  complete_ = next.size() < block_keys_;
  block_ = std::move(next);
  at_ = 0;
  block_keys_ = std::min(block_keys_ * 2, kLongestBlock);
}

void OrderedIterator::FetchAgain() {
  const std::string key(block_.key(at_));
  if (reverse_) {
    const std::string behind = key + '\0';
    Fetch({options_.lower, behind, /*after_lower=*/false, /*reverse=*/true});
  } else {
    Fetch({key, options_.upper});
  }
}

KeyRange OrderedIterator::Behind(std::string_view key) const {
  if (reverse_) return {options_.lower, key, /*after_lower=*/false, /*reverse=*/true};
  return {key, options_.upper, /*after_lower=*/true, /*reverse=*/false};
}

void OrderedIterator::Move(bool reverse) {
  if (reverse == reverse_) {
    ++at_;
  } else {
    reverse_ = reverse;
    block_keys_ = kFirstBlock;
    Fetch(Behind(key()));
  }
  Settle();
}

void OrderedIterator::Settle() {
  valid_ = false;
  while (true) {
    if (store_->in_forked_child()) {
      status_ = store_->CheckUsable();
      return;
    }
    if (at_ == block_.size()) {
      if (complete_) return;
      Fetch(Behind(block_.key(block_.size() - 1)));
      continue;
    }
    if (options_.keys_only) break;
    bool gone = false;
    absl::Status status = ReadRecord(&gone);
    if (gone) {
      // The snapshot was given up and the record retired; looking it up again tells so.
      FetchAgain();
      continue;
    }
    if (status.ok()) break;
    status = store_->Report(std::move(status));
    if (status_.ok()) status_ = std::move(status);
    ++at_;
  }
  valid_ = true;
}

absl::Status OrderedIterator::ReadRecord(bool* gone) {
  MutexLock lock(mutex_);
  const ReaderScope reading;
  readahead_.Touch(store_->log_, at_, block_.size(),
                   [this](size_t i) { return block_.location(i); });
  const Location location = block_.location(at_);
  *gone = !location.exists();
  if (*gone) return absl::OkStatus();
  PreparedKey key(block_.key(at_));
  absl::Status status = store_->ReadRecord(key, location, record_.buffer(), record_.view());
  if (status.ok()) {
    record_.Keep(store_->log_.Pin(location), record_.view()->header.record_bytes());
  }
  return status;
}

}  // namespace rumcask
