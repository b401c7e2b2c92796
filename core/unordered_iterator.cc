#include "core/unordered_iterator.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "core/plugin/keystore.h"

namespace rumcask {
namespace {

// Records whose reads overlap.
constexpr size_t kAhead = 32;

}  // namespace

UnorderedIterator::UnorderedIterator(std::shared_ptr<Store> store,
                                     std::shared_ptr<const KeystoreSnapshot> snapshot,
                                     IteratorOptions options)
    : store_(std::move(store)),
      snapshot_(std::move(snapshot)),
      options_(std::move(options)),
      cursor_(store_->keystore_->NewCursor(snapshot_)) {
  Next();
}

UnorderedIterator::~UnorderedIterator() {
  if (!store_->in_forked_child()) return;
  (void)cursor_.release();
  ReleaseUnlessForked(std::move(store_), std::move(snapshot_));
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
  if (at_ % kAhead == 0) {
    for (size_t i = at_; i < std::min(at_ + kAhead, locations_.size()); ++i) {
      store_->log_.Pin(locations_[i])->Touch(locations_[i]);
    }
  }
  return true;
}

void UnorderedIterator::Next() {
  valid_ = false;
  if (store_->in_forked_child()) {
    status_ = store_->CheckUsable();
    return;
  }
  while (Fill()) {
    absl::Status status = store_->ReadPut(locations_[at_++], &buffer_, &record_);
    if (!status.ok()) {
      if (status_.ok()) status_ = std::move(status);
    } else if (InRange(record_.key())) {
      valid_ = true;
      return;
    }
  }
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
