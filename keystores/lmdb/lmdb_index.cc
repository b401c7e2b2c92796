#include "keystores/lmdb/lmdb_index.h"

#include <lmdb.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "core/plugin/disk_index.h"
#include "core/plugin/index_directory.h"
#include "core/system/mutex.h"
#include "keystores/lmdb/lmdb_environment.h"
#include "keystores/lmdb/lmdb_readers.h"

namespace rumcask {
namespace {

constexpr char kEntries[] = "entries";
constexpr char kNotes[] = "notes";
constexpr unsigned kMaps = 2;

// Readers in addition to ours, for people who look at the file with mdb_stat or mdb_dump meanwhile.
constexpr unsigned kForeignReaders = 64;
constexpr unsigned kMostReaders = LmdbReaders::kMostReaders + kForeignReaders;

// After a rewriting that failed, the next try comes after so many commits: most fail for want of
// room.
constexpr int kCommitsBetweenTries = 1000;

// What LMDB allocates for a transaction's page numbers, from its source.
constexpr uint64_t kTransactionBytes = uint64_t{3} << 20;

MDB_val ToValue(std::string_view bytes) {
  // LMDB's interface does not know const, but LMDB does not write there.
  return {bytes.size(), const_cast<char*>(bytes.data())};
}

std::string_view ToView(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

absl::Status NotFound() { return absl::Status(absl::StatusCode::kNotFound, ""); }

// Opens a map. It must have no LMDB options: with another key order, keys would not be found.
absl::Status OpenMap(MDB_txn* txn, const std::string& path, const char* name, bool create,
                     MDB_dbi* map) {
  int result = mdb_dbi_open(txn, name, create ? MDB_CREATE : 0, map);
  unsigned flags = 0;
  if (result == MDB_SUCCESS) result = mdb_dbi_flags(txn, *map, &flags);
  if (result != MDB_SUCCESS) {
    return LmdbStatus("mdb_dbi_open", absl::StrCat(path, ", map ", name), result);
  }
  if (flags != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": the map ", name, " is of another program"));
  }
  return absl::OkStatus();
}

// Opens both. With `read_only` they must exist.
absl::Status OpenMaps(MDB_env* env, const std::string& path, bool read_only, MDB_dbi* entries,
                      MDB_dbi* notes) {
  MDB_txn* begun = nullptr;
  int result = mdb_txn_begin(env, nullptr, read_only ? MDB_RDONLY : 0, &begun);
  if (result != MDB_SUCCESS) return LmdbStatus("mdb_txn_begin", path, result);
  LmdbTransaction txn(begun);
  absl::Status status = OpenMap(txn.get(), path, kEntries, !read_only, entries);
  if (status.ok()) status = OpenMap(txn.get(), path, kNotes, !read_only, notes);
  // The creation of the index ended before anything was in it. The message is replaced, because a
  // missing map is reported as a missing key.
  if (absl::IsNotFound(status)) {
    return absl::NotFoundError(absl::StrCat(path, ": an LMDB file without an index"));
  }
  if (!status.ok()) return status;
  // Writes nothing if both maps existed.
  result = LmdbCommitResult(env, mdb_txn_commit(txn.release()));
  return result == MDB_SUCCESS ? absl::OkStatus() : LmdbStatus("mdb_txn_commit", path, result);
}

class LmdbIndex : public DiskIndex {
 public:
  LmdbIndex(std::string path, LmdbEnvironment env, MDB_dbi entries, MDB_dbi notes)
      : path_(std::move(path)),
        env_(std::move(env)),
        entries_(entries),
        notes_(notes),
        readers_(env_.get(), path_) {}

  absl::Status Get(std::string_view key, std::string* value) const override {
    return GetFrom(entries_, key, value);
  }

  absl::Status Scan(const KeyRange& range, size_t limit, IndexRows* rows) const override;
  absl::Status Commit(IndexBatch* batch) override;

  absl::Status Flush() override { return absl::OkStatus(); }

  absl::Status GetNote(std::string_view name, bool durable, std::string* value) const override {
    if (!durable) return GetFrom(notes_, name, value);
    MutexLock lock(commit_mutex_);
    return GetFrom(notes_, name, value);
  }

  uint64_t KeyCount() const override { return Stat().ms_entries; }
  bool counts_exactly() const override { return true; }
  bool reports_replaced() const override { return true; }

  uint64_t MemoryBytes() const override {
    return readers_.MemoryBytes() + kTransactionBytes +
           kept_pages_.load(std::memory_order_relaxed) * Stat().ms_psize;
  }

  uint64_t FileBytes() const override { return IndexDirectoryBytes(path_); }

 private:
  absl::Status Failed(std::string_view call, int result) const {
    return LmdbStatus(call, path_, result);
  }

  // `map` is a member, and read when readers cannot be suspended any more.
  absl::Status GetFrom(const MDB_dbi& map, std::string_view key, std::string* value) const;
  absl::Status Change(MDB_txn* txn, IndexBatch* batch) const;
  absl::Status WriteNotes(MDB_txn* txn, const std::vector<IndexNote>& notes) const;
  MDB_stat Stat() const;
  // Counts the pages of all trees, as they were when the transaction began or later.
  absl::Status CountUsed(MDB_txn* txn, uint64_t* pages) const;
  // Replaces the file by a shorter one if it is mostly free. What is committed stays so, whatever
  // comes of it.
  void Shrink(uint64_t used_pages);
  // After the file was replaced and could not be opened.
  absl::Status OpenAgain();
  void FindMaps();

  const std::string path_;
  // These are changed only while readers are suspended. The environment is null if it could not be
  // opened after the file was replaced.
  LmdbEnvironment env_;
  MDB_dbi entries_;
  MDB_dbi notes_;
  mutable LmdbReaders readers_;
  // Excludes readers from beginning while a transaction commits. A reader that loses its processor
  // while it begins might see what the transaction being committed has written into the file:
  // mdb_txn_renew0 first takes the number of the newest transaction and then the meta page for that
  // number, which the commit after the next one overwrites before it is durable.
  mutable Mutex commit_mutex_;
  // LMDB keeps the memory of the pages that a transaction changed for reuse.
  std::atomic<uint64_t> kept_pages_{0};
  // Of the thread that commits.
  int commits_until_shrink_ = 0;
  // Why nothing may be committed.
  absl::Status failed_;
};

absl::Status LmdbIndex::GetFrom(const MDB_dbi& map, std::string_view key,
                                std::string* value) const {
  // An empty key would be an error to LMDB.
  if (key.empty()) return NotFound();
  const LmdbReader reader(&readers_);
  if (!reader.status().ok()) return reader.status();
  MDB_val k = ToValue(key);
  MDB_val v;
  const int result = mdb_get(reader.txn(), map, &k, &v);
  if (result != MDB_SUCCESS) return Failed("mdb_get", result);
  value->assign(ToView(v));
  return absl::OkStatus();
}

absl::Status LmdbIndex::Scan(const KeyRange& range, size_t limit, IndexRows* rows) const {
  rows->Clear();
  if (limit == 0) return absl::OkStatus();
  const LmdbReader reader(&readers_);
  if (!reader.status().ok()) return reader.status();
  MDB_cursor* opened = nullptr;
  int result = mdb_cursor_open(reader.txn(), entries_, &opened);
  if (result != MDB_SUCCESS) return Failed("mdb_cursor_open", result);
  const LmdbCursor cursor(opened);

  MDB_val key;
  MDB_val value;
  const auto move = [&](MDB_cursor_op operation) {
    result = mdb_cursor_get(cursor.get(), &key, &value, operation);
  };
  const auto seek = [&](std::string_view to) {
    key = ToValue(to);
    move(MDB_SET_RANGE);
  };
  const auto below = [&] {  // whether the key is below the range
    const std::string_view k = ToView(key);
    return range.after_lower ? k <= range.lower : k < range.lower;
  };
  if (range.reverse) {
    if (range.upper.empty()) {
      move(MDB_LAST);
    } else {
      seek(range.upper);
      // The last key below `upper` is the one before the position found, or the last of all if
      // every key is below.
      if (result == MDB_SUCCESS) {
        move(MDB_PREV);
      } else if (result == MDB_NOTFOUND) {
        move(MDB_LAST);
      }
    }
    for (; result == MDB_SUCCESS && !below() && rows->size() < limit; move(MDB_PREV)) {
      rows->Add(ToView(key), ToView(value));
    }
  } else {
    if (range.lower.empty()) {
      move(MDB_FIRST);
    } else {
      seek(range.lower);
      if (result == MDB_SUCCESS && below()) move(MDB_NEXT);
    }
    for (; result == MDB_SUCCESS && (range.upper.empty() || ToView(key) < range.upper) &&
           rows->size() < limit;
         move(MDB_NEXT)) {
      rows->Add(ToView(key), ToView(value));
    }
  }
  if (result == MDB_SUCCESS || result == MDB_NOTFOUND) return absl::OkStatus();
  return Failed("mdb_cursor_get", result);
}

absl::Status LmdbIndex::Commit(IndexBatch* batch) {
  absl::Status status = failed_;
  // What was short may not be so any more.
  if (absl::IsResourceExhausted(status)) {
    status = env_ == nullptr ? OpenAgain() : SyncLmdbDirectory(path_);
    failed_ = status;
  }
  if (!status.ok()) return status;
  MDB_txn* begun = nullptr;
  int result = mdb_txn_begin(env_.get(), nullptr, 0, &begun);
  if (result != MDB_SUCCESS) return Failed("mdb_txn_begin", result);
  LmdbTransaction txn(begun);
  status = Change(txn.get(), batch);
  if (status.ok()) status = WriteNotes(txn.get(), batch->Notes());
  if (!status.ok()) return status;
  MDB_stat stat;
  result = mdb_stat(txn.get(), entries_, &stat);
  if (result != MDB_SUCCESS) return Failed("mdb_stat", result);
  uint64_t used_pages = 0;
  status = CountUsed(txn.get(), &used_pages);
  if (!status.ok()) return status;
  {
    MutexLock lock(commit_mutex_);
    // mdb_txn_commit ends the transaction even if it fails.
    result = LmdbCommitResult(env_.get(), mdb_txn_commit(txn.release()));
  }
  if (result != MDB_SUCCESS) return Failed("mdb_txn_commit", result);
  ExtendLmdbFile(env_.get());

  // A transaction changes at most one leaf for each change, and the pages above the leaves.
  const uint64_t leaves = std::min<uint64_t>(batch->changes().size(), stat.ms_leaf_pages);
  const uint64_t pages = leaves + std::min<uint64_t>(leaves, stat.ms_branch_pages);
  if (pages > kept_pages_.load(std::memory_order_relaxed)) {
    kept_pages_.store(pages, std::memory_order_relaxed);
  }
  Shrink(used_pages);
  return absl::OkStatus();
}

absl::Status LmdbIndex::CountUsed(MDB_txn* txn, uint64_t* pages) const {
  *pages = 0;
  // The first two are LMDB's own: of free pages, and of the names of the others.
  for (const MDB_dbi map : {MDB_dbi{0}, MDB_dbi{1}, entries_, notes_}) {
    MDB_stat stat;
    const int result = mdb_stat(txn, map, &stat);
    if (result != MDB_SUCCESS) return Failed("mdb_stat", result);
    *pages += stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
  }
  return absl::OkStatus();
}

void LmdbIndex::Shrink(uint64_t used_pages) {
  if (commits_until_shrink_ > 0) {
    --commits_until_shrink_;
    return;
  }
  MDB_envinfo info;
  MDB_stat stat;
  mdb_env_info(env_.get(), &info);
  mdb_env_stat(env_.get(), &stat);
  const uint64_t all_pages = info.me_last_pgno + 1;
  const uint64_t copied = used_pages * stat.ms_psize;
  if (all_pages * stat.ms_psize <= kLmdbSmallBytes || used_pages > all_pages / 4 ||
      copied > kLmdbMostCopiedBytes) {
    return;
  }
  // On a full disk the copy would take what deletes need, if only until it fails.
  if (LmdbDiskBytes(env_.get()) / 4 < copied) return;
  if (!ReplaceLmdbFile(env_.get(), path_).ok()) {
    commits_until_shrink_ = kCommitsBetweenTries;
    return;
  }
  readers_.Suspend();
  failed_ = UseReplacedLmdbFile(path_, kMaps, kMostReaders, &env_);
  if (env_ != nullptr) FindMaps();
  kept_pages_.store(0, std::memory_order_relaxed);
  readers_.Resume(env_.get(), failed_);
}

void LmdbIndex::FindMaps() {
  absl::Status status = OpenMaps(env_.get(), path_, /*read_only=*/true, &entries_, &notes_);
  if (status.ok()) return;
  if (failed_.ok() || absl::IsResourceExhausted(failed_)) failed_ = status;
  env_.reset();
}

absl::Status LmdbIndex::OpenAgain() {
  absl::StatusOr<LmdbEnvironment> env =
      OpenLmdbEnvironment(path_, /*read_only=*/false, kMaps, kMostReaders);
  if (!env.ok()) return env.status();
  readers_.Suspend();
  failed_ = absl::OkStatus();
  env_ = *std::move(env);
  FindMaps();
  readers_.Resume(env_.get(), failed_);
  return failed_;
}

// Because the changes are sorted, LMDB finds most keys on the page where its cursor is already.
absl::Status LmdbIndex::Change(MDB_txn* txn, IndexBatch* batch) const {
  const std::vector<IndexChange>& changes = batch->changes();
  MDB_cursor* cursor = nullptr;
  // The end of the transaction closes it.
  int result = mdb_cursor_open(txn, entries_, &cursor);
  if (result != MDB_SUCCESS) return Failed("mdb_cursor_open", result);
  const bool asks = batch->wants_replaced();
  for (size_t i = 0; i < changes.size(); ++i) {
    MDB_val key = ToValue(changes[i].key);
    MDB_val value = ToValue(changes[i].value);
    const bool removes = changes[i].value.empty();
    bool exists = true;
    if (asks || removes) {
      MDB_val before;
      result = mdb_cursor_get(cursor, &key, &before, MDB_SET);
      if (result != MDB_SUCCESS && result != MDB_NOTFOUND) return Failed("mdb_cursor_get", result);
      exists = result == MDB_SUCCESS;
      if (asks && !batch->Accepts(i, exists ? ToView(before) : std::string_view())) continue;
    }
    if (!removes) {
      result = mdb_cursor_put(cursor, &key, &value, 0);
      if (result != MDB_SUCCESS) return Failed("mdb_cursor_put", result);
    } else if (exists) {
      result = mdb_cursor_del(cursor, 0);
      if (result != MDB_SUCCESS) return Failed("mdb_cursor_del", result);
    }
  }
  return absl::OkStatus();
}

absl::Status LmdbIndex::WriteNotes(MDB_txn* txn, const std::vector<IndexNote>& notes) const {
  for (const IndexNote& note : notes) {
    MDB_val key = ToValue(note.name);
    MDB_val value = ToValue(note.value);
    if (note.value.empty()) {
      const int result = mdb_del(txn, notes_, &key, nullptr);
      if (result != MDB_SUCCESS && result != MDB_NOTFOUND) return Failed("mdb_del", result);
    } else {
      const int result = mdb_put(txn, notes_, &key, &value, 0);
      if (result != MDB_SUCCESS) return Failed("mdb_put", result);
    }
  }
  return absl::OkStatus();
}

MDB_stat LmdbIndex::Stat() const {
  MDB_stat stat = {};
  const LmdbReader reader(&readers_);
  if (reader.status().ok()) mdb_stat(reader.txn(), entries_, &stat);
  return stat;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DiskIndex>> OpenLmdbIndex(const DiskIndexConfig& config) {
  absl::StatusOr<LmdbEnvironment> env =
      OpenLmdbEnvironment(config.path, config.read_only, kMaps, kMostReaders);
  if (!env.ok()) return env.status();
  MDB_dbi entries = 0;
  MDB_dbi notes = 0;
  absl::Status status = OpenMaps(env->get(), config.path, config.read_only, &entries, &notes);
  if (!status.ok()) return status;
  if (!config.read_only) ExtendLmdbFile(env->get());
  return std::unique_ptr<DiskIndex>(new LmdbIndex(config.path, *std::move(env), entries, notes));
}

}  // namespace rumcask
