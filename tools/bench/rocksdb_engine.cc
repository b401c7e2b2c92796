#include "tools/bench/rocksdb_engine.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "rocksdb/cache.h"
#include "rocksdb/db.h"
#include "rocksdb/filter_policy.h"
#include "rocksdb/iterator.h"
#include "rocksdb/options.h"
#include "rocksdb/statistics.h"
#include "rocksdb/table.h"
#include "rocksdb/version.h"
#include "rocksdb/write_batch.h"

#include "keystores/rocksdb/open_rocksdb.h"
#include "tools/bench/loaded_library.h"

namespace rumcask::bench {
namespace {

constexpr size_t kWriteBufferBytes = size_t{64} << 20;
constexpr int kBloomBits = 10;
constexpr int kBackgroundJobs = 2;

rocksdb::Slice SliceOf(std::string_view text) { return {text.data(), text.size()}; }

absl::Status StatusOf(const rocksdb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  if (status.IsNotFound()) return absl::NotFoundError("");
  return absl::InternalError(status.ToString());
}

double DeadShare(double max_space_amplification) { return 1 - 1 / max_space_amplification; }

rocksdb::WriteOptions OptionsOf(bool sync) {
  rocksdb::WriteOptions options;
  options.sync = sync;
  return options;
}

class RocksDbCursor : public EngineCursor {
 public:
  explicit RocksDbCursor(rocksdb::Iterator* iterator) : iterator_(iterator) {}

  absl::Status SeekToFirst() override {
    iterator_->SeekToFirst();
    return status();
  }
  absl::Status Seek(std::string_view key) override {
    iterator_->Seek(SliceOf(key));
    return status();
  }
  bool Valid() const override { return iterator_->Valid(); }
  void Next() override { iterator_->Next(); }
  std::string_view key() const override {
    return {iterator_->key().data(), iterator_->key().size()};
  }
  std::string_view value() const override {
    return {iterator_->value().data(), iterator_->value().size()};
  }
  absl::Status status() const override { return StatusOf(iterator_->status()); }

 private:
  const std::unique_ptr<rocksdb::Iterator> iterator_;
};

class RocksDbStore : public Engine {
 public:
  static absl::StatusOr<std::unique_ptr<Engine>> Open(const EngineSettings& settings, bool blobs) {
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = rocksdb::NewLRUCache(settings.cache_bytes);
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBits));
    rocksdb::Options options;
    options.create_if_missing = true;
    options.compression = rocksdb::kNoCompression;
    options.write_buffer_size = kWriteBufferBytes;
    options.max_background_jobs = kBackgroundJobs;
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    if (blobs) {
      options.enable_blob_files = true;
      options.min_blob_size = 0;
      options.blob_compression_type = rocksdb::kNoCompression;
      options.enable_blob_garbage_collection = true;
      options.blob_cache = table.block_cache;
      if (settings.max_space_amplification > 0) {
        // The nearest there is: files are rewritten once so much of the oldest is dead, and all
        // files may be.
        options.blob_garbage_collection_age_cutoff = 1;
        options.blob_garbage_collection_force_threshold =
            DeadShare(settings.max_space_amplification);
      }
    }
    if (settings.count_written) {
      options.statistics = rocksdb::CreateDBStatistics();
      options.statistics->set_stats_level(rocksdb::StatsLevel::kExceptHistogramOrTimers);
    }
    std::unique_ptr<rocksdb::DB> db;
    absl::Status status = StatusOf(OpenRocksdb(options, settings.path, &db));
    if (!status.ok()) return status;
    return std::make_unique<RocksDbStore>(std::move(db), options.statistics);
  }

  RocksDbStore(std::unique_ptr<rocksdb::DB> db, std::shared_ptr<rocksdb::Statistics> statistics)
      : statistics_(std::move(statistics)), db_(std::move(db)) {}

  absl::Status Get(std::string_view key, std::string* value) override {
    return StatusOf(db_->Get(rocksdb::ReadOptions(), SliceOf(key), value));
  }

  absl::Status MultiGet(absl::Span<const std::string_view> keys, std::vector<std::string>* values,
                        uint64_t* found) override {
    thread_local std::vector<rocksdb::Slice> slices;
    thread_local std::vector<rocksdb::PinnableSlice> pinned;
    thread_local std::vector<rocksdb::Status> statuses;
    slices.clear();
    for (const std::string_view key : keys) slices.push_back(SliceOf(key));
    for (rocksdb::PinnableSlice& slice : pinned) slice.Reset();
    if (pinned.size() < keys.size()) pinned = std::vector<rocksdb::PinnableSlice>(keys.size());
    statuses.resize(keys.size());
    values->resize(keys.size());
    db_->MultiGet(rocksdb::ReadOptions(), db_->DefaultColumnFamily(), keys.size(), slices.data(),
                  pinned.data(), statuses.data());
    for (size_t i = 0; i < keys.size(); ++i) {
      if (statuses[i].ok()) {
        (*values)[i].assign(pinned[i].data(), pinned[i].size());
        ++*found;
      } else if (!statuses[i].IsNotFound()) {
        return StatusOf(statuses[i]);
      }
    }
    // Pins must not outlive the database.
    for (size_t i = 0; i < keys.size(); ++i) pinned[i].Reset();
    return absl::OkStatus();
  }

  absl::Status Put(std::string_view key, std::string_view value, bool sync) override {
    return StatusOf(db_->Put(OptionsOf(sync), SliceOf(key), SliceOf(value)));
  }

  absl::Status Delete(std::string_view key, bool sync) override {
    return StatusOf(db_->Delete(OptionsOf(sync), SliceOf(key)));
  }

  absl::Status Write(absl::Span<const std::pair<std::string_view, std::string_view>> entries,
                     bool sync) override {
    rocksdb::WriteBatch batch;
    for (const auto& [key, value] : entries) {
      const rocksdb::Status status = batch.Put(SliceOf(key), SliceOf(value));
      if (!status.ok()) return StatusOf(status);
    }
    return StatusOf(db_->Write(OptionsOf(sync), &batch));
  }

  absl::StatusOr<std::unique_ptr<EngineCursor>> NewCursor() override {
    return std::make_unique<RocksDbCursor>(db_->NewIterator(rocksdb::ReadOptions()));
  }

  absl::Status Sync() override { return StatusOf(db_->SyncWAL()); }

  absl::StatusOr<WrittenBytes> Written() override {
    if (statistics_ == nullptr) return Engine::Written();
    WrittenBytes written;
    written.log = statistics_->getTickerCount(rocksdb::WAL_FILE_BYTES);
    // Both include blob files.
    written.rest = statistics_->getTickerCount(rocksdb::FLUSH_WRITE_BYTES) +
                   statistics_->getTickerCount(rocksdb::COMPACT_WRITE_BYTES);
    return written;
  }

  absl::Status Compact() override {
    return StatusOf(db_->CompactRange(rocksdb::CompactRangeOptions(), nullptr, nullptr));
  }

  absl::Status Close() override { return StatusOf(db_->Close()); }

 private:
  // Null: nothing is counted.
  const std::shared_ptr<rocksdb::Statistics> statistics_;
  const std::unique_ptr<rocksdb::DB> db_;
};

EngineType TypeOf(bool blobs) {
  EngineType type;
  type.name = blobs ? "rocksdb_blob" : "rocksdb";
  type.library = "RocksDB " + rocksdb::GetRocksVersionAsString();
  if (blobs) type.library += " with BlobDB";
  type.assertions = AssertionsOf("librocksdb.so");
  type.options = [blobs](const EngineSettings& settings) {
    std::string text = absl::StrFormat(
        "no compression, write buffers of %d MiB, block cache %d MiB%s, bloom filter %d bits per "
        "key, %d background jobs",
        kWriteBufferBytes >> 20, settings.cache_bytes >> 20,
        blobs ? " for blobs too, all values in blobs, their garbage collected" : "", kBloomBits,
        kBackgroundJobs);
    if (blobs && settings.max_space_amplification > 0) {
      absl::StrAppendFormat(&text, ", blob files collected once %.0f %% of the oldest is dead",
                            100 * DeadShare(settings.max_space_amplification));
    }
    return text;
  };
  type.durability = "its log is written when put returns";
  type.ordered = true;
  type.open = [blobs](const EngineSettings& settings) {
    return RocksDbStore::Open(settings, blobs);
  };
  return type;
}

}  // namespace

EngineType RocksDbEngine() { return TypeOf(false); }
EngineType RocksDbBlobEngine() { return TypeOf(true); }

}  // namespace rumcask::bench
