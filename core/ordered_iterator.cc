#include "core/ordered_iterator.h"

#include <algorithm>
#include <utility>

#include "core/plugin/keystore.h"

namespace rumcask {
namespace {

// The first block is small, so that a short scan does not pay for many keys, and blocks grow, so
// that a long one does not pay for many blocks.
constexpr size_t kFirstBlock = 16;
constexpr size_t kLongestBlock = 512;
// Records whose reads overlap.
constexpr size_t kAhead = 32;

}  // namespace

OrderedIterator::OrderedIterator(std::shared_ptr<Store> store,
                                 std::shared_ptr<const KeystoreSnapshot> snapshot,
                                 IteratorOptions options)
    : store_(std::move(store)),
      snapshot_(std::move(snapshot)),
      options_(std::move(options)),
      block_keys_(kFirstBlock) {
  SeekToFirst();
}

OrderedIterator::~OrderedIterator() {
  ReleaseUnlessForked(std::move(store_), std::move(snapshot_));
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
  KeyBlock next;  // the range may refer to a key in block_
  absl::Status status = store_->in_forked_child()
                            ? store_->CheckUsable()
                            : store_->keystore_->Scan(*snapshot_, range, block_keys_, &next);
  if (!status.ok()) {
    next.Clear();
    status_ = std::move(status);  // in place of damage: the walk does not go on
  }
  complete_ = next.size() < block_keys_;
  block_ = std::move(next);
  at_ = 0;
  block_keys_ = std::min(block_keys_ * 2, kLongestBlock);
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
    if (at_ % kAhead == 0) {
      for (size_t i = at_; i < std::min(at_ + kAhead, block_.size()); ++i) {
        store_->log_.Pin(block_.location(i))->Touch(block_.location(i));
      }
    }
    PreparedKey key(block_.key(at_));
    absl::Status status = store_->ReadRecord(key, block_.location(at_), &buffer_, &record_);
    if (status.ok()) break;
    if (status_.ok()) status_ = std::move(status);
    ++at_;
  }
  valid_ = true;
}

}  // namespace rumcask
