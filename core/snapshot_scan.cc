#include "core/snapshot_scan.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace rumcask {
namespace {

// Entries that are newer than the snapshot are skipped: fetching few at a time would take long.
constexpr size_t kLeastFetched = 32;

// A part of what one source has of the range, walked through.
struct Part {
  KeyBlock block;
  size_t at = 0;
  bool complete = false;  // nothing comes behind the block

  bool done() const { return at == block.size(); }
  std::string_view key() const { return block.key(at); }
};

class Scan {
 public:
  Scan(const std::vector<FetchKeys>& sources, const PastVersions& past,
       const KeystoreSnapshot& snapshot, const KeyRange& range, size_t limit, KeyBlock* block)
      : sources_(sources),
        past_(past),
        snapshot_(snapshot),
        rest_(range),
        limit_(limit),
        block_(block),
        parts_(sources.size() + 1) {}

  absl::Status Run() {
    block_->Clear();
    bool more = true;
    while (more && block_->size() < limit_) {
      absl::Status status = Fetch();
      if (!status.ok()) {
        block_->Clear();
        return status;
      }
      more = Merge();
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Fetch() {
    const size_t count = std::max(limit_ - block_->size(), kLeastFetched);
    for (size_t i = 0; i < parts_.size(); ++i) {
      Part& part = parts_[i];
      absl::Status status = i < sources_.size() ? sources_[i](rest_, count, &part.block)
                                                : past_.Scan(snapshot_, rest_, count, &part.block);
      if (!status.ok()) return status;
      part.at = 0;
      part.complete = part.block.size() < count;
    }
    return absl::OkStatus();
  }

  bool Before(std::string_view a, std::string_view b) const {
    return rest_.reverse ? b < a : a < b;
  }

  // Takes keys up to where a source has to be asked for more. Returns whether one has to.
  bool Merge() {
    while (block_->size() < limit_) {
      const Part* first = nullptr;
      for (const Part& part : parts_) {
        if (part.done()) {
          if (part.complete) continue;
          GoOnBehind(last_);
          return true;
        }
        if (first == nullptr || Before(part.key(), first->key())) first = &part;
      }
      if (first == nullptr) return false;
      last_.assign(first->key());
      Take();
    }
    return false;
  }

  // Adds the version of the key last_ that the snapshot sees: the past one, if there is one, or the
  // newest that is not too new.
  void Take() {
    KeyVersion seen;
    bool found = false;
    for (size_t i = 0; i < parts_.size(); ++i) {
      Part& part = parts_[i];
      if (part.done() || part.key() != last_) continue;
      const KeyVersion version = {part.block.sequence(part.at), part.block.location(part.at)};
      const bool is_past = i == sources_.size();
      if (is_past || (version.sequence <= snapshot_.sequence() &&
                      (!found || version.sequence > seen.sequence))) {
        seen = version;
        found = true;
      }
      ++part.at;
    }
    if (found && seen.location.exists()) block_->Add(last_, seen.location, seen.sequence);
  }

  void GoOnBehind(std::string_view key) {
    bound_.assign(key);
    if (rest_.reverse) {
      rest_.upper = bound_;
    } else {
      rest_.lower = bound_;
      rest_.after_lower = true;
    }
  }

  const std::vector<FetchKeys>& sources_;
  const PastVersions& past_;
  const KeystoreSnapshot& snapshot_;
  KeyRange rest_;
  const size_t limit_;
  KeyBlock* const block_;
  std::vector<Part> parts_;
  std::string last_;
  std::string bound_;
};

}  // namespace

absl::Status ScanSnapshot(const std::vector<FetchKeys>& sources, const PastVersions& past,
                          const KeystoreSnapshot& snapshot, const KeyRange& range, size_t limit,
                          KeyBlock* block) {
  return Scan(sources, past, snapshot, range, limit, block).Run();
}

}  // namespace rumcask
