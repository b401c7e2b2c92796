// Taking snapshots, and making iterators over them.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "core/db.h"
#include "core/ordered_iterator.h"
#include "core/plugin/key_block.h"
#include "core/plugin/key_range.h"
#include "core/plugin/keystore.h"
#include "core/snapshot.h"
#include "core/store.h"
#include "core/system/reader_epoch.h"
#include "core/unordered_iterator.h"

namespace rumcask {
namespace {

// For so many keys a thread is announced as a reader at once; compaction waits until it is not.
constexpr uint64_t kKeysAtOnce = 512;

absl::Status NoOrder(const KeystoreTraits& traits) {
  return absl::UnimplementedError(
      absl::StrCat("keystore ", traits.name, " keeps no order of keys"));
}

// The least key greater than all that begin with `prefix`; empty if there is none.
std::string AfterPrefix(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  if (!prefix.empty()) ++prefix.back();
  return prefix;
}

// The prefix as bounds.
void FoldPrefix(IteratorOptions* options) {
  if (options->prefix.empty()) return;
  if (options->lower < options->prefix) options->lower = options->prefix;
  std::string after = AfterPrefix(options->prefix);
  if (!after.empty() && (options->upper.empty() || after < options->upper)) {
    options->upper = std::move(after);
  }
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Snapshot>> DB::TakeSnapshot() {
  absl::Status status = store_->CheckUsable();
  if (!status.ok()) return status;
  MutexLock lock(store_->log_.write_mutex());
  return std::shared_ptr<const Snapshot>(
      new Snapshot(store_, store_->keystore_->TakeSnapshot(store_->log_.last_sequence())));
}

absl::Status DB::PrepareWalk(IteratorOptions* options) {
  absl::Status status = store_->CheckUsable();
  if (!status.ok()) return status;
  const KeystoreTraits& traits = store_->options_.keystore->traits;
  if (options->ordered && !traits.ordered) return NoOrder(traits);
  if (options->snapshot == nullptr) {
    absl::StatusOr<std::shared_ptr<const Snapshot>> taken = TakeSnapshot();
    if (!taken.ok()) return taken.status();
    options->snapshot = *std::move(taken);
  }
  FoldPrefix(options);
  return CheckSnapshot(*options->snapshot);
}

absl::StatusOr<std::unique_ptr<Iterator>> DB::NewIterator(const IteratorOptions& options) {
  IteratorOptions effective = options;
  absl::Status status = PrepareWalk(&effective);
  if (!status.ok()) return status;
  std::shared_ptr<const KeystoreSnapshot> at = effective.snapshot->keystore_snapshot_;
  if (store_->options_.keystore->traits.ordered) {
    return std::make_unique<OrderedIterator>(store_, std::move(at), std::move(effective));
  }
  return std::make_unique<UnorderedIterator>(store_, std::move(at), std::move(effective));
}

absl::StatusOr<uint64_t> DB::CountRange(const IteratorOptions& options, uint64_t at_most) {
  IteratorOptions effective = options;
  absl::Status status = PrepareWalk(&effective);
  if (!status.ok()) return status;
  const KeystoreTraits& traits = store_->options_.keystore->traits;
  Keystore* const keystore = store_->keystore_.get();
  const std::shared_ptr<const KeystoreSnapshot> at = effective.snapshot->keystore_snapshot_;
  uint64_t count = 0;
  if (!traits.ordered) {
    if (!effective.lower.empty() || !effective.upper.empty()) return NoOrder(traits);
    const std::unique_ptr<KeystoreCursor> cursor = keystore->NewCursor(at);
    std::vector<Location> locations;
    do {
      const ReaderScope reading;
      status = cursor->Next(&locations);
      if (!status.ok()) return status;
      count += locations.size();
    } while (!locations.empty() && count < at_most);
    return std::min(count, at_most);
  }
  KeyBlock block;
  KeyRange range = {effective.lower, effective.upper};
  std::string last;
  while (count < at_most) {
    const size_t wanted = std::min<uint64_t>(kKeysAtOnce, at_most - count);
    {
      const ReaderScope reading;
      status = keystore->Scan(*at, range, wanted, &block);
    }
    if (!status.ok()) return status;
    count += block.size();
    if (block.size() < wanted) break;
    last = std::string(block.key(block.size() - 1));
    range.lower = last;
    range.after_lower = true;
  }
  return count;
}

absl::Status DB::FindAt(const Snapshot& snapshot, const PreparedKey& key,
                        Location* location) const {
  absl::Status status = CheckSnapshot(snapshot);
  if (!status.ok()) return status;
  return store_->keystore_->GetAt(*snapshot.keystore_snapshot_, key, location);
}

absl::Status DB::CheckSnapshot(const Snapshot& snapshot) const {
  if (snapshot.store_ == store_) return absl::OkStatus();
  return absl::InvalidArgumentError("the snapshot is one of another database");
}

}  // namespace rumcask
