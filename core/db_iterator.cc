// Iterators over an unordered keystore.

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "core/db.h"
#include "core/store.h"

namespace rumcask {
namespace {

class UnorderedIterator : public Iterator {
 public:
  UnorderedIterator(std::shared_ptr<Store> store, IteratorOptions options)
      : store_(std::move(store)),
        options_(std::move(options)),
        cursor_(store_->keystore_->NewCursor()) {
    Next();
  }

  bool Valid() const override { return valid_; }
  std::string_view key() const override { return record_.key(); }
  std::string_view value() const override {
    return options_.keys_only ? std::string_view() : record_.value();
  }
  uint64_t version() const override { return record_.header.sequence; }
  absl::Status status() const override { return status_; }

  void Next() override {
    valid_ = false;
    if (store_->in_forked_child()) {
      status_ = store_->CheckUsable();
      return;
    }
    while (true) {
      if (at_ == locations_.size()) {
        cursor_->Next(&locations_);
        at_ = 0;
        if (locations_.empty()) return;
      }
      // Close to the end of a group, so that the reads of its records overlap.
      if (at_ % kAhead == 0) {
        for (size_t i = at_; i < std::min(at_ + kAhead, locations_.size()); ++i) {
          store_->segments_.segment(locations_[i])->Touch(locations_[i]);
        }
      }
      const Location location = locations_[at_++];
      absl::Status status = store_->segments_.segment(location)->Read(location, &buffer_, &record_);
      if (status.ok() && record_.header.kind != RecordKind::kPut) {
        status = absl::DataLossError(absl::StrCat(store_->segments_.segment(location)->name(),
                                                  " offset ", location.offset(),
                                                  ": value was lost and given up by a repair"));
      }
      if (!status.ok()) {
        if (status_.ok()) status_ = store_->Report(std::move(status));
        continue;
      }
      if (InRange(record_.key())) {
        valid_ = true;
        return;
      }
    }
  }

 private:
  static constexpr size_t kAhead = 32;

  bool InRange(std::string_view key) const {
    return key.substr(0, options_.prefix.size()) == options_.prefix && key >= options_.lower &&
           (options_.upper.empty() || key < options_.upper);
  }

  const std::shared_ptr<Store> store_;
  const IteratorOptions options_;
  const std::unique_ptr<KeystoreCursor> cursor_;
  std::vector<Location> locations_;
  size_t at_ = 0;
  RecordBuffer buffer_;
  RecordView record_;
  bool valid_ = false;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Iterator>> DB::NewIterator(const IteratorOptions& options) {
  absl::Status status = store_->CheckUsable();
  if (!status.ok()) return status;
  if (options.ordered) {
    return absl::UnimplementedError(absl::StrCat(
        "keystore ", store_->options_.keystore->traits.name, " keeps no order of keys"));
  }
  return std::make_unique<UnorderedIterator>(store_, options);
}

}  // namespace rumcask
