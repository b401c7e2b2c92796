// An iterator over an ordered keystore.

#ifndef RUMCASK_CORE_ORDERED_ITERATOR_H_
#define RUMCASK_CORE_ORDERED_ITERATOR_H_

#include <memory>
#include <string>
#include <string_view>

#include "core/held_record.h"
#include "core/iterator.h"
#include "core/plugin/key_block.h"
#include "core/plugin/keystore.h"
#include "core/readahead.h"
#include "core/store.h"
#include "core/versions/held_locations.h"

namespace rumcask {

// Copies keys and locations from the keystore one block at a time. Each block is looked up anew,
// starting after the last key of the one before, so that between two blocks the iterator holds
// nothing of the keystore but the snapshot.
class OrderedIterator : public Iterator, private LocationHolder {
 public:
  // The caller has already folded `options.prefix` into the bounds.
  OrderedIterator(std::shared_ptr<Store> store, std::shared_ptr<const KeystoreSnapshot> snapshot,
                  IteratorOptions options);
  ~OrderedIterator() override;

  bool Valid() const override { return valid_; }
  void Next() override { Move(/*reverse=*/false); }
  void Prev() override { Move(/*reverse=*/true); }
  void SeekToFirst() override;
  void SeekToLast() override;
  void Seek(std::string_view target) override;
  std::string_view key() const override { return block_.key(at_); }
  std::string_view value() const override {
    return options_.keys_only ? std::string_view() : record_.value();
  }
  uint64_t version() const override { return block_.sequence(at_); }
  absl::Status status() const override { return status_; }

 private:
  void Replace(NewPlace new_place) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  void Start(const KeyRange& range);
  void Move(bool reverse);
  // Fetches the block that begins at the start of the range.
  void Fetch(const KeyRange& range) ABSL_LOCKS_EXCLUDED(mutex_);
  // Reads the record of block_[at_]. Sets `*gone` if the block has lost track of it.
  absl::Status ReadRecord(bool* gone) ABSL_LOCKS_EXCLUDED(mutex_);
  // The range of the keys that follow `key` in the direction of the walk.
  KeyRange Behind(std::string_view key) const;
  // Fetches the block that begins at the key of block_[at_].
  void FetchAgain() ABSL_LOCKS_EXCLUDED(mutex_);
  // Moves on from block_[at_] to the first key whose value can be read.
  void Settle();

  std::shared_ptr<Store> store_;
  std::shared_ptr<const KeystoreSnapshot> snapshot_;
  IteratorOptions options_;
  KeyBlock block_;  // in the direction of the walk; its locations are guarded by mutex_
  size_t at_ = 0;
  size_t block_keys_;      // number of keys to fetch into the next block
  bool complete_ = false;  // nothing comes behind the block
  bool reverse_ = false;
  Readahead readahead_;
  HeldRecord record_;
  bool valid_ = false;
  absl::Status status_;
  // Last, as compaction may look into the iterator from then on.
  HeldLocations::Registration registration_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_ORDERED_ITERATOR_H_
