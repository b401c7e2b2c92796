// Verifying an open database: the files, and the index against the log.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "core/check/verify.h"
#include "core/check/verify_log.h"
#include "core/damage.h"
#include "core/db.h"
#include "core/index/record_order.h"
#include "core/plugin/keystore.h"
#include "core/segment/segment_file.h"
#include "core/store.h"

namespace rumcask {
namespace {

// A segment, and how far it reached at one moment.
struct Extent {
  std::shared_ptr<Segment> segment;
  uint64_t end;
  bool sealed;
};

class IndexAudit {
 public:
  // `manifest` is null if it is damaged.
  IndexAudit(Store* store, const Manifest* manifest, VerifyReport* report)
      : store_(store),
        report_(report),
        numbers_(manifest, report),
        order_(store->directory_.get(), &store->log_) {}

  absl::Status Run() {
    const std::vector<Extent> extents = Look();
    absl::Status status = LearnOrder(extents);
    // The user's segments come last, in the order of the log, so that a delete in one of them can
    // clear a key of suspicion for good.
    for (const Stream stream : {Stream::kSurvivor, Stream::kUser}) {
      for (const Extent& extent : extents) {
        if (status.ok() && extent.segment->stream() == stream) status = CheckSegment(extent);
      }
    }
    if (status.ok()) status = CheckIndex();
    if (status.ok()) status = Excuse(extents);
    for (auto& [key, suspect] : suspects_) {
      if (!suspect.is_delete) report_->damages.push_back(std::move(suspect.damage));
    }
    return status;
  }

 private:
  // What is known of a key that the index does not have, or has an older record of.
  struct Suspect {
    uint64_t sequence = 0;
    bool is_delete = false;
    Damage damage;
  };

  absl::Status LearnOrder(const std::vector<Extent>& extents) {
    for (const Extent& extent : extents) {
      const Segment& segment = *extent.segment;
      if (segment.stream() == Stream::kSurvivor) order_.SetSurvivor(segment.slot());
    }
    for (const Extent& extent : extents) {
      const Segment& segment = *extent.segment;
      absl::StatusOr<std::unique_ptr<SegmentFile>> file =
          SegmentFile::Open(store_->directory_.get(), store_->log_.uuid(), segment.id());
      if (absl::IsInternal(file.status())) continue;  // reading it will report the damage
      if (!file.ok()) return file.status();
      absl::Status status;
      if (segment.stream() == Stream::kSurvivor) {
        status = order_.ReadSample(segment.slot(), file->get(), extent.end);
      } else if (extent.sealed) {
        const absl::StatusOr<std::optional<Trailer>> trailer = (*file)->ReadTrailer();
        status = trailer.status();
        if (status.ok() && trailer->has_value() && (*trailer)->first_sequence != 0) {
          order_.SetUser(segment.slot(), (*trailer)->first_sequence, (*trailer)->last_sequence);
        }
      }
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  std::vector<Extent> Look() {
    MutexLock lock(store_->log_.write_mutex());
    std::vector<Extent> extents;
    for (std::shared_ptr<Segment>& segment : store_->log_.Segments()) {
      const bool sealed = segment->sealed.load(std::memory_order_acquire);
      extents.push_back({segment, segment->end(), sealed});
    }
    return extents;
  }

  // Each record must be the key's newest, or the index must know a newer one.
  absl::Status CheckSegment(const Extent& extent) {
    const Segment& segment = *extent.segment;
    numbers_.BeginSegment(segment.id(), segment.stream());
    return VerifySegment(store_->directory_.get(), store_->log_.uuid(), segment.id(), extent.end,
                         extent.sealed, report_,
                         [&](const RecordHeader& header, std::string_view key, uint64_t offset) {
                           numbers_.Record(header, offset);
                           if (header.is_data()) CheckRecord(segment, header, key, offset);
                         });
  }

  void CheckRecord(const Segment& segment, const RecordHeader& header, std::string_view key,
                   uint64_t offset) {
    PreparedKey prepared(key);
    store_->keystore_->Digest(&prepared);
    Location at;
    const bool indexed = store_->keystore_->Get(prepared, &at).ok();
    const Location here = Location::Make(segment.slot(), offset, header.record_bytes());
    if (indexed && (here == at || !order_.HasHigherNumber(header.sequence, here, at))) return;
    const std::string name(key);
    const auto known = suspects_.find(name);
    if (known != suspects_.end() && known->second.sequence >= header.sequence) return;
    // A delete explains why an older put is not indexed.
    const bool clears = !indexed && header.is_tombstone();
    if (clears && segment.stream() == Stream::kUser) {
      if (known != suspects_.end()) suspects_.erase(known);
      return;
    }
    suspects_[name] = {header.sequence,
                       clears,
                       {segment.name(), offset, header.record_bytes(),
                        indexed ? "record is newer than the one the index has"
                                : "newest record of a key that the index does not have"}};
  }

  // Each entry of the index must lead to a record that leads back to it.
  absl::Status CheckIndex() {
    if (store_->options_.keystore->traits.ordered) return CheckOrderedIndex();
    report_->keys = store_->keystore_->KeyCount();
    std::unique_ptr<KeystoreCursor> cursor = store_->keystore_->NewCursor(nullptr);
    std::vector<Location> locations;
    do {
      absl::Status status = cursor->Next(&locations);
      if (!status.ok()) return status;
      for (Location location : locations) CheckEntry(location, nullptr);
    } while (!locations.empty());
    return absl::OkStatus();
  }

  absl::Status CheckOrderedIndex() {
    constexpr size_t kBlock = 512;
    const std::shared_ptr<const KeystoreSnapshot> snapshot = [this] {
      MutexLock lock(store_->log_.write_mutex());
      return store_->keystore_->TakeSnapshot(store_->log_.last_sequence());
    }();
    KeyBlock block;
    std::string last;
    do {
      absl::Status status = store_->keystore_->Scan(
          *snapshot, {last, {}, /*after_lower=*/!last.empty()}, kBlock, &block);
      if (!status.ok()) return status;
      for (size_t i = 0; i < block.size(); ++i) {
        const std::string_view key = block.key(i);
        CheckEntry(block.location(i), &key);
      }
      report_->keys += block.size();
      if (!block.empty()) last = std::string(block.key(block.size() - 1));
    } while (block.size() == kBlock);
    return absl::OkStatus();
  }

  // `key` is the key that the index has for the location, null if that is not known.
  void CheckEntry(Location location, const std::string_view* key) {
    const SegmentPin segment = store_->log_.Pin(location);
    RecordView record;
    if (!segment->Read(location, &buffer_, &record).ok()) {
      // Damage of the record itself was found by reading the segment.
      if (!IsDamaged(*segment)) Blame(location, "the index points to what is no record");
      return;
    }
    if (key != nullptr && record.key() != *key) {
      Blame(location, "the index has it for another key");
      return;
    }
    PreparedKey prepared(record.key());
    store_->keystore_->Digest(&prepared);
    Location back;
    // A writer may have replaced the record meanwhile, but only by a newer one.
    const bool found = store_->keystore_->Get(prepared, &back).ok();
    if (found && back != location &&
        order_.HasHigherNumber(record.header.sequence, location, back)) {
      Blame(location, "the index has two entries for one key");
    }
  }

  void Blame(Location location, const char* what) {
    report_->damages.push_back(
        {store_->log_.Pin(location)->name(), location.offset(), location.length(), what});
  }
  bool IsDamaged(const Segment& segment) const {
    for (const Damage& damage : report_->damages) {
      if (damage.file == segment.name()) return true;
    }
    return false;
  }

  // Clears keys of suspicion that were written to since the segments were first looked at.
  absl::Status Excuse(const std::vector<Extent>& before) {
    if (suspects_.empty()) return absl::OkStatus();
    for (const Extent& now : Look()) {
      uint64_t begin = kSegmentHeaderBytes;
      for (const Extent& extent : before) {
        if (extent.segment == now.segment) begin = extent.end;
      }
      if (begin == now.end) continue;
      absl::StatusOr<std::unique_ptr<SegmentFile>> file =
          SegmentFile::Open(store_->directory_.get(), store_->log_.uuid(), now.segment->id());
      if (!file.ok()) return file.status();
      const absl::StatusOr<uint64_t> stopped = (*file)->ReadPrefix(
          begin, now.end,
          [this](const FoundRecord& record) { suspects_.erase(std::string(record.key)); });
      if (!stopped.ok()) return stopped.status();
    }
    return absl::OkStatus();
  }

  Store* const store_;
  VerifyReport* const report_;
  NumberAudit numbers_;
  RecordOrder order_;
  RecordBuffer buffer_;
  absl::flat_hash_map<std::string, Suspect> suspects_;
};

}  // namespace

absl::StatusOr<VerifyReport> DB::Verify() {
  absl::Status status = store_->CheckUsable();
  if (!status.ok()) return status;
  // What is retired meanwhile would look like damage.
  const Compactor::Pause no_compaction(store_->compactor_.get());
  VerifyReport report;
  Directory* const directory = store_->directory_.get();
  status = VerifyManifest(directory, &report);
  if (!status.ok()) return status;
  const absl::StatusOr<DecodedManifest> manifest = ReadManifest(directory);
  status = IndexAudit(store_.get(), manifest.ok() ? &manifest->manifest : nullptr, &report).Run();
  if (!status.ok()) return status;
  return report;
}

}  // namespace rumcask
