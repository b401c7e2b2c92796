#include "keystores/rocksdb/rocksdb_index.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/iterator.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/perf_context.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>
#include <rocksdb/write_batch.h>
#include <unistd.h>

#if __has_include(<rocksdb/advanced_cache.h>)
#include <rocksdb/advanced_cache.h>  // What the class Cache is moved there from cache.h.
#endif

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "core/plugin/disk_index.h"
#include "core/plugin/index_directory.h"
#include "core/system/file_system.h"
#include "core/system/mutex.h"
#include "core/system/text.h"
#include "keystores/rocksdb/open_rocksdb.h"

namespace rocksdb {

// An internal class of RocksDB whose object has to be made early; see MakeStatics. Default is null
// in releases without it.
class Timer;
class PeriodicTaskScheduler {
 public:
  __attribute__((weak)) static Timer* Default();
};

}  // namespace rocksdb

namespace rumcask {
namespace {

// When the first database of a process is opened, RocksDB makes two static objects whose
// destruction ends the threads that every database needs. Statics of a program that were made
// earlier and hold a database would be destroyed after that. Made here, the two objects exist
// before all others and are destroyed after them. A shared librocksdb has made its own statics by
// now. From a static librocksdb, only functions are called that make what they need.
__attribute__((constructor(101))) void MakeStatics() {
  (void)rocksdb::Env::Default();
  if (&rocksdb::PeriodicTaskScheduler::Default != nullptr) {
    (void)rocksdb::PeriodicTaskScheduler::Default();
  }
}

// The first byte of keys in RocksDB. Entries come after the notes and reach to the end.
constexpr char kNote = 'n';
constexpr char kEntry = 'x';
constexpr char kBehindEntries = kEntry + 1;

// A file is compacted if it has that many removals among that many entries in a row.
constexpr size_t kDeletionWindow = 128;
constexpr size_t kDeletionTrigger = 64;

// Number of keys that are looked up at once.
constexpr size_t kSlice = 256;

std::string Prefixed(char prefix, std::string_view key) {
  std::string prefixed;
  prefixed.reserve(1 + key.size());
  prefixed.push_back(prefix);
  prefixed.append(key);
  return prefixed;
}

rocksdb::Slice ToSlice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

std::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// Replaces RocksDB's diary. RocksDB's own asserts that its last write succeeded, so that a full
// disk would end the process; and it writes to static objects that are already destroyed when a
// program's own statics close their databases.
class NoLog : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char* /*format*/, va_list /*arguments*/) override {}
};

// Whether `status` is the system's error `error`. RocksDB has a code only for a full disk; for
// other errors it appends the system's text to its own.
bool Is(const rocksdb::Status& status, int error) {
  char buffer[128];
  return status.IsIOError() &&
         absl::EndsWith(status.ToString(), ::strerror_r(error, buffer, sizeof buffer));
}

// RocksDB counts this for each thread, at its default level.
uint64_t Passed(const rocksdb::PerfContext& counts) { return counts.internal_delete_skipped_count; }

// Whether something is short of which there may be more later: disk space, memory or descriptors.
bool IsShortage(const rocksdb::Status& status) {
  if (status.IsNoSpace() || status.subcode() == rocksdb::Status::kSpaceLimit ||
      status.IsMemoryLimit())
    return true;
  for (const int error : {EMFILE, ENFILE, ENOMEM, EDQUOT}) {
    if (Is(status, error)) return true;
  }
  return false;
}

// Receives the errors of RocksDB's background threads. After a shortage, even if a disk is full for
// only a second, RocksDB takes no more writes until it has recovered, which 7.8 does not do
// reliably (db/error_handler.cc): it may consider itself stopped for ever, so that Flush no longer
// waits, or forget a flush in its queue, for which Resume then waits for ever. So this listener
// hides shortages from RocksDB, and the index tries again when core does.
class Mishaps : public rocksdb::EventListener {
 public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* status) override {
    const bool passes = IsShortage(*status);
    {
      MutexLock lock(mutex_);
      ++count_;
      if (fatal_.ok()) last_ = *status;
      if (!passes) fatal_ = *status;
      if (reason != rocksdb::BackgroundErrorReason::kCompaction) flush_failed_ = true;
      happened_.NotifyAll();
    }
    if (passes) *status = rocksdb::Status::OK();
  }
  void OnFlushCompleted(rocksdb::DB* /*db*/, const rocksdb::FlushJobInfo& /*info*/) override {
    MutexLock lock(mutex_);
    flush_failed_ = false;
    happened_.NotifyAll();
  }

  uint64_t count() const {
    MutexLock lock(mutex_);
    return count_;
  }
  bool flush_failed() const {
    MutexLock lock(mutex_);
    return flush_failed_;
  }
  // The error that occurred since the count was `before`, or the first one that does not pass. If
  // there is none, waits a moment for something to happen.
  rocksdb::Status Wait(uint64_t before) const {
    MutexLock lock(mutex_);
    if (count_ == before && fatal_.ok()) happened_.WaitFor(mutex_, kMoment);
    if (!fatal_.ok()) return fatal_;
    return count_ == before ? rocksdb::Status::OK() : last_;
  }

 private:
  static constexpr std::chrono::milliseconds kMoment{1};

  mutable Mutex mutex_;
  mutable CondVar happened_;
  uint64_t count_ ABSL_GUARDED_BY(mutex_) = 0;
  bool flush_failed_ ABSL_GUARDED_BY(mutex_) = false;
  rocksdb::Status last_ ABSL_GUARDED_BY(mutex_);
  rocksdb::Status fatal_ ABSL_GUARDED_BY(mutex_);
};

class RocksdbIndex : public DiskIndex {
 public:
  RocksdbIndex(std::string path, std::unique_ptr<rocksdb::DB> db,
               std::shared_ptr<rocksdb::Cache> cache, std::shared_ptr<Mishaps> mishaps)
      : path_(std::move(path)),
        cache_(std::move(cache)),
        mishaps_(std::move(mishaps)),
        db_(std::move(db)) {
    // The log of core has all writes already.
    write_.disableWAL = true;
    // Where RocksDB waits, it would go on waiting during errors that are hidden from it.
    write_.no_slowdown = true;
    flush_.wait = false;
    flush_.allow_write_stall = true;
  }

  absl::Status Get(std::string_view key, std::string* value) const override {
    return GetFrom(rocksdb::ReadOptions(), Prefixed(kEntry, key), value);
  }

  absl::Status Scan(const KeyRange& range, size_t limit, IndexRows* rows) const override;
  absl::Status Commit(IndexBatch* batch) override;

  absl::Status Flush() override;

  absl::Status GetNote(std::string_view name, bool durable, std::string* value) const override {
    rocksdb::ReadOptions options;
    if (durable) options.read_tier = rocksdb::kPersistedTier;
    return GetFrom(options, Prefixed(kNote, name), value);
  }

  uint64_t KeyCount() const override { return Property(rocksdb::DB::Properties::kEstimateNumKeys); }
  bool counts_exactly() const override { return false; }
  bool reports_replaced() const override { return false; }

  uint64_t MemoryBytes() const override {
    return Property(rocksdb::DB::Properties::kSizeAllMemTables) +
           Property(rocksdb::DB::Properties::kEstimateTableReadersMem) + cache_->GetUsage();
  }

  uint64_t FileBytes() const override { return IndexDirectoryBytes(path_); }

 private:
  absl::Status Checked(std::string_view call, const rocksdb::Status& status) const {
    return RocksdbStatus(call, path_, status);
  }
  // Repeats the attempt while RocksDB is too far behind with merging files to accept it.
  template <typename Attempt>
  absl::Status Patiently(std::string_view call, Attempt attempt) const;

  uint64_t Property(const std::string& name) const {
    uint64_t value = 0;
    return db_->GetIntProperty(name, &value) ? value : 0;
  }

  absl::Status GetFrom(const rocksdb::ReadOptions& options, const std::string& key,
                       std::string* value) const;
  // Used to leave out removals that remove nothing, which scans would have to step over. False only
  // if filters and memory prove that the key does not exist.
  bool MayExist(const std::string& key) const {
    std::string value;
    bool found = false;
    return db_->KeyMayExist(rocksdb::ReadOptions(), db_->DefaultColumnFamily(), key, &value,
                            &found);
  }
  absl::Status FindAccepted(IndexBatch* batch, size_t begin, size_t end,
                            std::vector<bool>* accepted) const;

  const std::string path_;
  rocksdb::WriteOptions write_;
  rocksdb::FlushOptions flush_;
  const std::shared_ptr<rocksdb::Cache> cache_;
  const std::shared_ptr<Mishaps> mishaps_;
  const std::unique_ptr<rocksdb::DB> db_;
};

absl::Status RocksdbIndex::GetFrom(const rocksdb::ReadOptions& options, const std::string& key,
                                   std::string* value) const {
  rocksdb::PinnableSlice found;
  const rocksdb::Status status = db_->Get(options, db_->DefaultColumnFamily(), key, &found);
  if (!status.ok()) return Checked("Get", status);
  value->assign(ToView(found));
  return absl::OkStatus();
}

absl::Status RocksdbIndex::Scan(const KeyRange& range, size_t limit, IndexRows* rows) const {
  rows->Clear();
  if (limit == 0) return absl::OkStatus();
  const std::string lower = Prefixed(kEntry, range.lower);
  const std::string upper =
      range.upper.empty() ? std::string(1, kBehindEntries) : Prefixed(kEntry, range.upper);
  // RocksDB requires the bounds to be in order.
  if (lower >= upper) return absl::OkStatus();
  const rocksdb::Slice lower_slice(lower);
  const rocksdb::Slice upper_slice(upper);
  rocksdb::ReadOptions options;
  options.iterate_lower_bound = &lower_slice;
  options.iterate_upper_bound = &upper_slice;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options));
  // Counts what the iterator stepped over: removed keys whose removal has not been carried out by a
  // compaction yet.
  const rocksdb::PerfContext& counts = *rocksdb::get_perf_context();
  uint64_t passed = Passed(counts);
  const auto pass = [&] {
    const uint64_t now = Passed(counts);
    rows->Pass(now - passed);
    passed = now;
  };
  range.reverse ? it->SeekToLast() : it->SeekToFirst();
  for (; it->Valid() && rows->size() < limit; range.reverse ? it->Prev() : it->Next()) {
    pass();
    if (range.after_lower && it->key() == lower_slice) continue;
    std::string_view key = ToView(it->key());
    key.remove_prefix(1);
    rows->Add(key, ToView(it->value()));
  }
  pass();
  return Checked("Scan", it->status());
}

absl::Status RocksdbIndex::Commit(IndexBatch* batch) {
  // When RocksDB has several memtables that it could not write, it takes no more writes and does
  // not flush either, so a flush is requested here.
  if (mishaps_->flush_failed()) {
    absl::Status status = Flush();
    if (!status.ok()) return status;
  }
  const std::vector<IndexChange>& changes = batch->changes();
  std::vector<bool> accepted(changes.size(), true);
  if (batch->wants_replaced()) {
    for (size_t begin = 0; begin < changes.size(); begin += kSlice) {
      absl::Status status =
          FindAccepted(batch, begin, std::min(begin + kSlice, changes.size()), &accepted);
      if (!status.ok()) return status;
    }
  }
  rocksdb::WriteBatch writes;
  rocksdb::Status status;
  std::string key;
  const auto write = [&](char prefix, std::string_view name, std::string_view value) {
    if (!status.ok()) return;
    key.assign(1, prefix);
    key.append(name);
    if (!value.empty()) {
      status = writes.Put(key, ToSlice(value));
    } else if (MayExist(key)) {
      status = writes.Delete(key);
    }
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    if (accepted[i]) write(kEntry, changes[i].key, changes[i].value);
  }
  for (const IndexNote& note : batch->Notes()) write(kNote, note.name, note.value);
  if (!status.ok()) return Checked("WriteBatch", status);
  return Patiently("Write", [&] { return db_->Write(write_, &writes); });
}

absl::Status RocksdbIndex::Flush() {
  const uint64_t before = mishaps_->count();
  const bool failed = mishaps_->flush_failed();
  absl::Status status = Patiently("Flush", [&] { return db_->Flush(flush_); });
  while (status.ok() && Property(rocksdb::DB::Properties::kNumImmutableMemTable) > 0) {
    status = Checked("Flush", mishaps_->Wait(before));
  }
  // After some errors RocksDB stops deleting old files, in case they are still needed.
  if (status.ok() && failed) status = Checked("EnableFileDeletions", db_->EnableFileDeletions());
  return status;
}

template <typename Attempt>
absl::Status RocksdbIndex::Patiently(std::string_view call, Attempt attempt) const {
  const uint64_t before = mishaps_->count();
  while (true) {
    const rocksdb::Status status = attempt();
    if (!status.IsIncomplete() && !status.IsTryAgain()) return Checked(call, status);
    const rocksdb::Status mishap = mishaps_->Wait(before);
    if (!mishap.ok()) return Checked(call, mishap);
  }
}

// Looks up the keys of changes [begin, end) and calls Accepts for each.
absl::Status RocksdbIndex::FindAccepted(IndexBatch* batch, size_t begin, size_t end,
                                        std::vector<bool>* accepted) const {
  const std::vector<IndexChange>& changes = batch->changes();
  const size_t count = end - begin;
  std::vector<std::string> names;
  names.reserve(count);
  for (size_t i = begin; i < end; ++i) names.push_back(Prefixed(kEntry, changes[i].key));
  const std::vector<rocksdb::Slice> keys(names.begin(), names.end());
  std::vector<rocksdb::PinnableSlice> values(count);
  std::vector<rocksdb::Status> statuses(count);
  db_->MultiGet(rocksdb::ReadOptions(), db_->DefaultColumnFamily(), count, keys.data(),
                values.data(), statuses.data(), /*sorted_input=*/true);
  for (size_t i = 0; i < count; ++i) {
    const bool exists = statuses[i].ok();
    if (!exists && !statuses[i].IsNotFound()) return Checked("MultiGet", statuses[i]);
    (*accepted)[begin + i] =
        batch->Accepts(begin + i, exists ? ToView(values[i]) : std::string_view());
  }
  return absl::OkStatus();
}

int MaxOpenFiles(const RocksdbOptions& options) {
  if (options.max_open_files != 0) return options.max_open_files;
  const uint64_t descriptors = PosixFileSystem()->Limits().descriptors;
  return static_cast<int>(std::clamp(descriptors / 4, uint64_t{20}, uint64_t{500}));
}

rocksdb::Options ToRocksdbOptions(const RocksdbOptions& options, bool read_only,
                                  std::shared_ptr<rocksdb::Cache> cache,
                                  std::shared_ptr<rocksdb::EventListener> listener) {
  rocksdb::Options made;
  made.create_if_missing = !read_only;
  made.write_buffer_size = options.write_buffer_bytes;
  // More than the memtables that can fill up while none can be written; otherwise RocksDB would
  // never try again.
  made.max_write_buffer_number = 6;
  made.max_open_files = MaxOpenFiles(options);
  made.compression = rocksdb::kNoCompression;
  // Limits the space of superseded entries to about a tenth.
  made.level_compaction_dynamic_level_bytes = true;
  // What was not flushed is brought in again from core's log; core flushes before it closes the
  // index.
  made.avoid_flush_during_shutdown = true;

  // A queue removes keys at one end and adds them at the other. Files that contain little but
  // removals are compacted soon, not only when their level is full.
  made.table_properties_collector_factories.push_back(
      rocksdb::NewCompactOnDeletionCollectorFactory(kDeletionWindow, kDeletionTrigger));

  // What is allocated ahead is missing on a small or full disk: 4 MiB for the manifest alone,
  // without which nothing can be opened.
  made.allow_fallocate = false;
  made.info_log = std::make_shared<NoLog>();
  made.stats_dump_period_sec = 0;
  made.stats_persist_period_sec = 0;
  made.listeners.push_back(std::move(listener));

  rocksdb::BlockBasedTableOptions table;
  table.block_cache = std::move(cache);
  if (options.bloom_bits_per_key > 0) {
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(options.bloom_bits_per_key));
  }
  made.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return made;
}

}  // namespace

absl::Status RocksdbStatus(std::string_view call, std::string_view path,
                           const rocksdb::Status& status) {
  const auto with = [&](absl::StatusCode code) {
    return absl::Status(code, absl::StrCat(Text(call), " ", Text(path), ": ", status.ToString()));
  };
  if (status.ok()) return absl::OkStatus();
  if (status.IsNotFound()) return absl::Status(absl::StatusCode::kNotFound, "");
  // A file that is missing was named by another one, so the index is damaged.
  if (status.IsCorruption() || status.IsPathNotFound()) return with(absl::StatusCode::kDataLoss);
  if (IsShortage(status) || status.IsBusy() || status.IsTryAgain()) {
    return with(absl::StatusCode::kResourceExhausted);
  }
  for (const int error : {EACCES, EPERM, EROFS}) {
    if (Is(status, error)) return with(absl::StatusCode::kPermissionDenied);
  }
  return with(absl::StatusCode::kInternal);
}

absl::StatusOr<std::unique_ptr<DiskIndex>> OpenRocksdbIndex(const DiskIndexConfig& config,
                                                            const RocksdbOptions& options) {
  absl::Status checked = CheckIndexDirectory(config.path);
  if (!checked.ok()) return checked;
  // The file that names the manifest. Without it there is no database for RocksDB.
  const std::string current = absl::StrCat(config.path, "/CURRENT");
  if (config.read_only && ::access(current.c_str(), F_OK) != 0) {
    return ErrnoStatus("open", current, errno);
  }

  std::shared_ptr<rocksdb::Cache> cache = rocksdb::NewLRUCache(options.block_cache_bytes);
  const auto mishaps = std::make_shared<Mishaps>();
  const rocksdb::Options opening = ToRocksdbOptions(options, config.read_only, cache, mishaps);
  std::unique_ptr<rocksdb::DB> db;
  const rocksdb::Status status = config.read_only
                                     ? OpenRocksdbForReadOnly(opening, config.path, &db)
                                     : OpenRocksdb(opening, config.path, &db);
  if (status.IsInvalidArgument() || status.IsNotSupported() || status.IsNotFound()) {
    // The files belong to another program or to a later release of RocksDB.
    return absl::DataLossError(absl::StrCat("Open ", config.path, ": ", status.ToString()));
  }
  if (!status.ok()) return RocksdbStatus("Open", config.path, status);
  return std::unique_ptr<DiskIndex>(
      new RocksdbIndex(config.path, std::move(db), std::move(cache), mishaps));
}

}  // namespace rumcask
