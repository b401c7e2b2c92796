// Taking snapshots, and making iterators over them.

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "core/db.h"
#include "core/ordered_iterator.h"
#include "core/plugin/keystore.h"
#include "core/snapshot.h"
#include "core/store.h"
#include "core/unordered_iterator.h"

namespace rumcask {
namespace {

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

absl::StatusOr<std::unique_ptr<Iterator>> DB::NewIterator(const IteratorOptions& options) {
  absl::Status status = store_->CheckUsable();
  if (!status.ok()) return status;
  const KeystoreTraits& traits = store_->options_.keystore->traits;
  if (options.ordered && !traits.ordered) {
    return absl::UnimplementedError(
        absl::StrCat("keystore ", traits.name, " keeps no order of keys"));
  }
  IteratorOptions effective = options;
  if (effective.snapshot == nullptr) {
    absl::StatusOr<std::shared_ptr<const Snapshot>> taken = TakeSnapshot();
    if (!taken.ok()) return taken.status();
    effective.snapshot = *std::move(taken);
  }
  status = CheckSnapshot(*effective.snapshot);
  if (!status.ok()) return status;
  FoldPrefix(&effective);
  std::shared_ptr<const KeystoreSnapshot> at = effective.snapshot->keystore_snapshot_;
  if (traits.ordered) {
    return std::make_unique<OrderedIterator>(store_, std::move(at), std::move(effective));
  }
  return std::make_unique<UnorderedIterator>(store_, std::move(at), std::move(effective));
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
