// An iterator over an unordered keystore.

#ifndef RUMCASK_CORE_UNORDERED_ITERATOR_H_
#define RUMCASK_CORE_UNORDERED_ITERATOR_H_

#include <memory>
#include <string_view>
#include <vector>

#include "core/held_record.h"
#include "core/iterator.h"
#include "core/plugin/keystore.h"
#include "core/readahead.h"
#include "core/store.h"
#include "core/versions/held_locations.h"

namespace rumcask {

// Takes locations from the keystore's cursor, one block at a time, and the keys from the records.
class UnorderedIterator : public Iterator, private LocationHolder {
 public:
  // The caller has already folded `options.prefix` into the bounds.
  UnorderedIterator(std::shared_ptr<Store> store, std::shared_ptr<const KeystoreSnapshot> snapshot,
                    IteratorOptions options);
  ~UnorderedIterator() override;

  bool Valid() const override { return valid_; }
  void Next() override;
  void SeekToFirst() override { Refuse(); }
  void SeekToLast() override { Refuse(); }
  void Seek(std::string_view /*target*/) override { Refuse(); }
  void Prev() override { Refuse(); }
  std::string_view key() const override { return record_.key(); }
  std::string_view value() const override {
    return options_.keys_only ? std::string_view() : record_.value();
  }
  uint64_t version() const override { return record_.version(); }
  absl::Status status() const override { return status_; }

 private:
  void Replace(NewPlace new_place) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Makes sure that there is a next location, and starts loading the records after it. False at the
  // end.
  bool Fill() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Reads the record at `location` and keeps it if its key is one that is asked for.
  absl::Status Read(Location location) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool InRange(std::string_view key) const;
  void Refuse();

  std::shared_ptr<Store> store_;
  std::shared_ptr<const KeystoreSnapshot> snapshot_;
  IteratorOptions options_;
  std::unique_ptr<KeystoreCursor> cursor_;
  std::vector<Location> locations_ ABSL_GUARDED_BY(mutex_);
  size_t at_ = 0;
  Readahead readahead_;
  HeldRecord record_;
  bool valid_ = false;
  absl::Status status_;
  // Last, as compaction may look into the iterator from then on.
  HeldLocations::Registration registration_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_UNORDERED_ITERATOR_H_
