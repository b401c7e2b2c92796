#include "tools/bench/leveldb_engine.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "leveldb/cache.h"
#include "leveldb/db.h"
#include "leveldb/filter_policy.h"
#include "leveldb/iterator.h"
#include "leveldb/options.h"
#include "leveldb/write_batch.h"

#include "tools/bench/loaded_library.h"

namespace rumcask::bench {
namespace {

constexpr size_t kWriteBufferBytes = size_t{64} << 20;
constexpr int kBloomBits = 10;

leveldb::Slice SliceOf(std::string_view text) { return {text.data(), text.size()}; }

absl::Status StatusOf(const leveldb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  if (status.IsNotFound()) return absl::NotFoundError("");
  return absl::InternalError(status.ToString());
}

leveldb::WriteOptions OptionsOf(bool sync) {
  leveldb::WriteOptions options;
  options.sync = sync;
  return options;
}

class LevelDbCursor : public EngineCursor {
 public:
  explicit LevelDbCursor(leveldb::Iterator* iterator) : iterator_(iterator) {}

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
  const std::unique_ptr<leveldb::Iterator> iterator_;
};

class LevelDbStore : public Engine {
 public:
  static absl::StatusOr<std::unique_ptr<Engine>> Open(const EngineSettings& settings) {
    auto store = std::make_unique<LevelDbStore>();
    store->cache_.reset(leveldb::NewLRUCache(settings.cache_bytes));
    store->filter_.reset(leveldb::NewBloomFilterPolicy(kBloomBits));
    leveldb::Options options;
    options.create_if_missing = true;
    options.compression = leveldb::kNoCompression;
    options.block_cache = store->cache_.get();
    options.filter_policy = store->filter_.get();
    options.write_buffer_size = kWriteBufferBytes;
    leveldb::DB* db = nullptr;
    absl::Status status = StatusOf(leveldb::DB::Open(options, settings.path, &db));
    if (!status.ok()) return status;
    store->db_.reset(db);
    return store;
  }

  absl::Status Get(std::string_view key, std::string* value) override {
    return StatusOf(db_->Get(leveldb::ReadOptions(), SliceOf(key), value));
  }

  absl::Status MultiGet(absl::Span<const std::string_view> keys, std::vector<std::string>* values,
                        uint64_t* found) override {
    // LevelDB has no such call.
    values->resize(keys.size());
    for (size_t i = 0; i < keys.size(); ++i) {
      const leveldb::Status status =
          db_->Get(leveldb::ReadOptions(), SliceOf(keys[i]), &(*values)[i]);
      if (status.ok()) {
        ++*found;
      } else if (!status.IsNotFound()) {
        return StatusOf(status);
      }
    }
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
    leveldb::WriteBatch batch;
    for (const auto& [key, value] : entries) batch.Put(SliceOf(key), SliceOf(value));
    return StatusOf(db_->Write(OptionsOf(sync), &batch));
  }

  absl::StatusOr<std::unique_ptr<EngineCursor>> NewCursor() override {
    return std::make_unique<LevelDbCursor>(db_->NewIterator(leveldb::ReadOptions()));
  }

  absl::Status Sync() override {
    // A synced write also syncs the writes before it.
    leveldb::WriteBatch batch;
    return StatusOf(db_->Write(OptionsOf(true), &batch));
  }

  absl::Status Compact() override {
    db_->CompactRange(nullptr, nullptr);
    return absl::OkStatus();
  }

  absl::Status Close() override {
    db_.reset();
    return absl::OkStatus();
  }

 private:
  // Destroyed after the database, which uses it.
  std::unique_ptr<leveldb::Cache> cache_;
  std::unique_ptr<const leveldb::FilterPolicy> filter_;
  std::unique_ptr<leveldb::DB> db_;
};

}  // namespace

EngineType LevelDbEngine() {
  EngineType type;
  type.name = "leveldb";
  type.library = absl::StrFormat("LevelDB %d.%d", leveldb::kMajorVersion, leveldb::kMinorVersion);
  type.assertions = AssertionsOf("libleveldb.so");
  type.options = [](const EngineSettings& settings) {
    return absl::StrFormat(
        "no compression, write buffer %d MiB, block cache %d MiB, bloom filter %d bits per key",
        kWriteBufferBytes >> 20, settings.cache_bytes >> 20, kBloomBits);
  };
  type.durability = "its log is written when put returns";
  type.ordered = true;
  type.open = LevelDbStore::Open;
  return type;
}

}  // namespace rumcask::bench
