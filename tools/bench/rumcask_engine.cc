#include "tools/bench/rumcask_engine.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"

#include "core/db.h"
#include "core/options.h"
#include "core/snapshot.h"
#include "core/stats.h"

namespace rumcask::bench {
namespace {

constexpr char kAssertions[] =
#ifdef NDEBUG
    "off";
#else
    "on";
#endif

class RumcaskCursor : public EngineCursor {
 public:
  explicit RumcaskCursor(DB* db) : db_(db) {}

  absl::Status SeekToFirst() override { return Walk(IteratorOptions()); }

  absl::Status Seek(std::string_view key) override {
    if (iterator_ != nullptr && key >= lower_) {
      iterator_->Seek(key);
      return iterator_->status();
    }
    // The iterator is made with `key` as its lower bound, so that it begins there and need not be
    // moved.
    IteratorOptions options;
    options.lower = std::string(key);
    options.ordered = true;
    return Walk(options);
  }

  bool Valid() const override { return iterator_ != nullptr && iterator_->Valid(); }
  void Next() override { iterator_->Next(); }
  std::string_view key() const override { return iterator_->key(); }
  std::string_view value() const override { return iterator_->value(); }
  absl::Status status() const override {
    return iterator_ == nullptr ? absl::OkStatus() : iterator_->status();
  }

 private:
  absl::Status Walk(const IteratorOptions& options) {
    absl::StatusOr<std::unique_ptr<Iterator>> iterator = db_->NewIterator(options);
    if (!iterator.ok()) return iterator.status();
    iterator_ = *std::move(iterator);
    lower_ = options.lower;
    return absl::OkStatus();
  }

  DB* const db_;
  std::string lower_;  // lower bound of iterator_
  std::unique_ptr<Iterator> iterator_;
};

class RumcaskStore : public Engine {
 public:
  explicit RumcaskStore(std::unique_ptr<DB> db) : db_(std::move(db)) {}

  absl::Status Get(std::string_view key, std::string* value) override {
    return db_->Get(key, value);
  }

  absl::Status MultiGet(absl::Span<const std::string_view> keys, std::vector<std::string>* values,
                        uint64_t* found) override {
    thread_local std::vector<absl::Status> statuses;
    db_->MultiGet(keys, values, &statuses);
    for (const absl::Status& status : statuses) {
      if (status.ok()) {
        ++*found;
      } else if (!absl::IsNotFound(status)) {
        return status;
      }
    }
    return absl::OkStatus();
  }

  absl::Status Put(std::string_view key, std::string_view value, bool sync) override {
    return db_->Put(key, value, OptionsOf(sync));
  }

  absl::Status Delete(std::string_view key, bool sync) override {
    return db_->Delete(key, OptionsOf(sync));
  }

  absl::Status Write(absl::Span<const std::pair<std::string_view, std::string_view>> entries,
                     bool sync) override {
    thread_local WriteBatch batch;
    batch.Clear();
    for (const auto& [key, value] : entries) batch.Put(key, value);
    return db_->Write(batch, OptionsOf(sync));
  }

  absl::StatusOr<std::unique_ptr<EngineCursor>> NewCursor() override {
    return std::make_unique<RumcaskCursor>(db_.get());
  }

  absl::StatusOr<std::shared_ptr<const void>> TakeSnapshot() override {
    return db_->TakeSnapshot();
  }

  absl::Status Sync() override { return db_->Sync(); }
  absl::Status Compact() override { return db_->CompactAll(); }

  absl::StatusOr<WrittenBytes> Written() override {
    // Ends a running job, because what that has written is counted at its end.
    absl::Status status = db_->PauseCompaction();
    if (!status.ok()) return status;
    const Stats stats = db_->GetStats();
    status = db_->ResumeCompaction();
    if (!status.ok()) return status;
    WrittenBytes written;
    written.rest = stats.compaction.written_bytes;
    // What is there or was removed, and does not come from compaction. Sealed segments count with
    // their footers, as what compaction writes does.
    written.log = stats.compaction.retired_bytes - written.rest;
    for (const SegmentStats& segment : stats.segments) {
      written.log += segment.sealed ? segment.file_bytes : segment.log_bytes;
    }
    return written;
  }

  absl::Status Close() override { return db_->Close(); }

 private:
  static WriteOptions OptionsOf(bool sync) {
    WriteOptions options;
    options.sync = sync;
    return options;
  }

  const std::unique_ptr<DB> db_;
};

}  // namespace

EngineType RumcaskEngine(const KeystoreFactory& keystore) {
  EngineType type;
  type.name = (keystore.traits.persistent ? "rumcask_" : "") + keystore.traits.name;
  type.library = absl::StrFormat("rumcask, keystore %s", keystore.traits.name);
  type.assertions = kAssertions;
  type.ordered = keystore.traits.ordered;
  type.counts_lock_waits = true;
  type.durability = "in the page cache when put returns";
  const auto options = [keystore](const EngineSettings& settings) {
    Options made;
    made.compaction.max_space_amplification = settings.max_space_amplification;
    made.keystore = keystore;
    made.create_if_missing = true;
    return made;
  };
  type.options = [options, keystore](const EngineSettings& settings) {
    const Options made = options(settings);
    const double bound = made.compaction.max_space_amplification;
    return absl::StrFormat(
        "append %s, read %s, segments of %d MiB, at most %.3g x what is live and 4 segments, %d "
        "background %s",
        made.append_mode == AppendMode::kMapped ? "mapped" : "pwritev",
        made.read_mode == ReadMode::kMapped ? "mapped" : "pread", made.segment_bytes >> 20,
        bound > 0 ? bound : keystore.traits.max_space_amplification, made.background_threads,
        made.background_threads == 1 ? "thread" : "threads");
  };
  type.open = [options](const EngineSettings& settings) -> absl::StatusOr<std::unique_ptr<Engine>> {
    absl::StatusOr<std::unique_ptr<DB>> db = DB::Open(settings.path, options(settings));
    if (!db.ok()) return db.status();
    return std::make_unique<RumcaskStore>(*std::move(db));
  };
  return type;
}

}  // namespace rumcask::bench
