// The database. Public; start here.
//
//   auto db = rumcask::Open("/var/lib/app/db", options);          // rumcask/open.h: hash keystore
//   absl::Status s = (*db)->Put("key", "value");
//   std::string value;
//   s = (*db)->Get("key", &value);
//
// What holds for every function unless it says otherwise:
//
// Bytes. A key has 1 to 65,535 bytes, or fewer if the keystore or Options::max_key_bytes says so. A
// value has 0 bytes to 1 GiB. Both may hold any bytes.
//
// Durability. When Put, Delete or Write has returned OK, the write survives the death of the
// process. With WriteOptions::sync, or once Sync has returned OK, it survives a power cut. After a
// power cut the surviving writes are a prefix of all writes in the order of their versions, without
// holes. A write that returned an error may or may not be found after reopening, but never half of
// it; until then reads do not show it. There is one exception: a failed fdatasync is final and
// turns the database read-only, and reads may then still show the writes whose sync failed.
//
// Versions. Each record in the log has a sequence number, which grows with every write. The version
// of a key or of a write is the sequence number of its record.
//
// Arguments. Keys and values may be views of anything that stays valid until the call returns. That
// includes what an out-parameter holds before the call: Get(pinned.value(), &pinned) reads the key
// that the old value names, and Seek(it->key()) and Put(it->key(), it->value()) work as written.
//
// Damage. A read never returns bytes that fail their checksum, that belong to another key, or that
// are older than a newer acknowledged value. Reading a damaged record returns DataLoss with file
// and offset, for that key only. This promise has limits. With ReadMode::kMapped, a sector that the
// device cannot read raises SIGBUS. A keystore that identifies keys by a digest documents the odds
// of a collision. A keystore on disk believes its own files until Verify compares them with the
// log, and LMDB's files have no checksums. OpenReadOnly offers what it can read of a database that
// Open refuses.
//
// Threads. Every function may be called from any thread at any time, except that the destructor
// must be the last call. The database holds no lock while it runs the caller's code.
//
// Processes. One process at a time has a database open for writing; any number may have it open
// read-only while none writes. A child made by fork must not use the parent's DB: every call there
// returns FailedPrecondition and touches nothing, the destructor included.
//
// Errors. NotFound with an empty message: the key is missing. InvalidArgument: a bad key, value,
// option or path, refused before any I/O. FailedPrecondition: the database is closed or read-only,
// the caller is a forked child, or the directory was removed while the database was open.
// ResourceExhausted: the disk or a quota is full, or the process has no memory or file descriptor
// left, or PinnedValues hold more of the log than it may take; open segments can still be read, and
// a later retry can succeed. On a full disk deletes still succeed, as long as the file RESERVE
// holds something, and automatic compaction makes room until writing resumes by itself; deletes may
// wait for that a few seconds. DataLoss: damage.
// PermissionDenied: the system refuses access. Internal: another error of the system. The message
// of every system error has the call, the file and the reason.

#ifndef RUMCASK_CORE_DB_H_
#define RUMCASK_CORE_DB_H_

#include "rumcask/require_cxx17.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "rumcask/iterator.h"
#include "rumcask/options.h"
#include "rumcask/pinned_value.h"
#include "rumcask/snapshot.h"
#include "rumcask/write_batch.h"

namespace rumcask {

class FileSystem;
class Location;
struct PreparedKey;
struct RecordView;
class Store;
// Declared in compaction.h, stats.h and verify.h, which only their users need to include.
struct CompactionReport;
struct Stats;
struct VerifyReport;

// An open database. What holds for all its functions is told at the top of db.h.
class DB {
 public:
  // Opens the database in directory `path` for reading and writing.
  //
  // Fails with NotFound naming the path if there is no database and create_if_missing is false;
  // AlreadyExists if there is one and error_if_exists is true; FailedPrecondition if the directory
  // holds something else, or if the database was made with a keystore that this one cannot replace;
  // Unavailable naming the holder if the database is open elsewhere, also under another spelling of
  // the path; DataLoss if something that was promised to be durable is missing or damaged (see
  // Repair in repair.h).
  //
  // A failed Open leaves the segments and MANIFEST as they were, with three exceptions. A failed
  // creation may leave the directory and the file LOCK and, if the keystore is one on disk, a
  // MANIFEST that names no keystore yet, so that the next Open may choose any. If an index on disk
  // fails beyond repair while it is opened and cannot be removed either, MANIFEST is rewritten so
  // that no later Open trusts that index. If replacing MANIFEST fails at its last fsync, the next
  // Open may find either the old or the new one. None of these loses a write. The files of an index
  // on disk may change in any case: they can be rebuilt from the log. So may RESERVE.
  //
  // After an unclean end, Open drops a tail of the log that was never promised to be durable;
  // GetStats says how many bytes. An unsynced write that survived the end of the process is kept.
  static absl::StatusOr<std::unique_ptr<DB>> Open(std::string_view path, const Options& options);

  // Opens without writing anything. Excludes writers while the database is open. Damage is not an
  // error here: every record that verifies can be read. Where Open would have failed, some keys may
  // be missing or show an older value, and it is not known which; the listener is told of the
  // damage before this returns.
  //
  // A keystore in memory can read every database, whatever keystore it was made with, because the
  // index is built from the log. A keystore on disk needs the index that is there.
  // FailedPrecondition if that index lacks more than replay_bytes of log or cannot be used; opening
  // the database once for writing repairs that.
  static absl::StatusOr<std::unique_ptr<DB>> OpenReadOnly(std::string_view path,
                                                          const Options& options);

  // The name of the keystore that the database in `path` was made with or reindexed to. Empty if
  // the creation of the database did not finish, so that any keystore may still be chosen. NotFound
  // if there is no database.
  static absl::StatusOr<std::string> StoredKeystore(std::string_view path,
                                                    FileSystem* file_system = nullptr);

  // Removes a database: its files, and the directory, unless that holds files of somebody else or
  // cannot be removed, as a mount point.
  //
  // NotFound if there is none; FailedPrecondition if the directory holds something else;
  // Unavailable if the database is open. After any other error, or a crash, there is either the
  // whole database, or what is left of one, which Open does not take for a database, and a second
  // call goes on. When this returns OK, nothing of it is found even after a power cut. Checkpoints
  // stay; they are databases of their own.
  static absl::Status Destroy(std::string_view path, FileSystem* file_system = nullptr);

  // Closes the database if Close was not called. Errors of closing are lost then.
  ~DB();
  DB(const DB&) = delete;
  DB& operator=(const DB&) = delete;

  // ---- reading ----

  // With ReadOptions::snapshot these functions read as of that snapshot. They return
  // ResourceExhausted if the snapshot was given up, and InvalidArgument if it belongs to another
  // database.

  // Replaces `*value` by the key's value and reuses the string's memory if it is large enough.
  // Stores the value's version in `*version` unless that is null, and 0 if the key is missing, as
  // CompareAndPut and WriteBatch::Require take it. On other errors `*version` is unchanged. On any,
  // `*value` is unspecified.
  absl::Status Get(std::string_view key, std::string* value, const ReadOptions& options = {},
                   uint64_t* version = nullptr);

  // The same with a new string.
  absl::StatusOr<std::string> Get(std::string_view key, const ReadOptions& options = {});

  // Avoids a copy where the read mode allows it: `*value` keeps the bytes, and the segment that
  // holds them, until it is destroyed or assigned, even after the key was deleted or the database
  // closed. On any error `*value` is empty.
  absl::Status Get(std::string_view key, PinnedValue* value, const ReadOptions& options = {});

  // Reads keys[i] into (*values)[i] and sets (*statuses)[i] to what Get would return. Both vectors
  // are resized to keys.size(); strings already in them are reused. Each key is read on its own, so
  // the values are of one moment only if the options name a snapshot. Faster than single Gets,
  // because the waits for memory overlap.
  void MultiGet(absl::Span<const std::string_view> keys, std::vector<std::string>* values,
                std::vector<absl::Status>* statuses, const ReadOptions& options = {});

  // Whether there is a value for the key, by the word of the keystore alone: the value is not read,
  // so damage to it is not noticed.
  absl::StatusOr<bool> Exists(std::string_view key, const ReadOptions& options = {});

  // Takes a snapshot of the current state, for reads and iterators; see snapshot.h. Holds the write
  // lock for an instant.
  absl::StatusOr<std::shared_ptr<const Snapshot>> TakeSnapshot();

  // Walks all keys as of one moment; see iterator.h. Unimplemented if the options ask for order and
  // the keystore has none.
  absl::StatusOr<std::unique_ptr<Iterator>> NewIterator(const IteratorOptions& options = {});

  // The number of keys that an iterator with these options would walk, but not more than `at_most`.
  // Found by a walk over the index alone: no record is read. No keystore knows how many keys lie
  // between two others without counting them, so this takes time for each. To find out whether
  // there are more than n keys, pass n + 1 as `at_most`. ResourceExhausted if the snapshot was
  // given up, the options' own or the one that this takes. Unimplemented if the options have bounds
  // or a prefix, or ask for order, and the keystore has none. See KeyCount for the number of all
  // keys.
  absl::StatusOr<uint64_t> CountRange(const IteratorOptions& options,
                                      uint64_t at_most = UINT64_MAX);

  // ---- writing ----

  // Stores the value. A caller who wants to know what was there before passes `result`.
  absl::Status Put(std::string_view key, std::string_view value, const WriteOptions& options = {},
                   WriteResult* result = nullptr);

  // Removes the key; OK also if it was not there. If the keystore is in memory and the key is
  // missing, nothing is written; with sync the call still waits until everything it observed is
  // durable. If the keystore is on disk, the key is looked up only when the caller passes `result`,
  // and only then can the write be saved.
  absl::Status Delete(std::string_view key, const WriteOptions& options = {},
                      WriteResult* result = nullptr);

  // Stores only if the key is missing; otherwise AlreadyExists with an empty message, and
  // result->version is the version of what is there. With sync, a refusal too is returned only once
  // what it observed is durable; the same holds for the next two functions.
  absl::Status PutIfAbsent(std::string_view key, std::string_view value,
                           const WriteOptions& options = {}, WriteResult* result = nullptr);

  // Stores only if the key's version is `version`; otherwise Aborted. A `version` of 0 means that
  // the key must be missing.
  absl::Status CompareAndPut(std::string_view key, std::string_view value, uint64_t version,
                             const WriteOptions& options = {}, WriteResult* result = nullptr);

  // Removes only if the key's version is `version`; otherwise Aborted. A `version` of 0 means that
  // the key must be missing, and nothing is written then.
  absl::Status CompareAndDelete(std::string_view key, uint64_t version,
                                const WriteOptions& options = {}, WriteResult* result = nullptr);

  // Applies all operations of the batch or none. `result->version` is the version of the last
  // operation, or 0 if there is none; those of the others come directly before it, in their order.
  // `result->existed` is false.
  //
  // If the batch has requirements that do not all hold, nothing is written. The result is Aborted
  // with a message that says which is the first, counted from 1; `result` tells at which version
  // that one's key is, and whether it exists. DataLoss if the record of a required key is damaged.
  // With sync, the answer comes only once what it rests on is durable, be it a refusal or the OK of
  // a batch that has nothing but requirements.
  absl::Status Write(const WriteBatch& batch, const WriteOptions& options = {},
                     WriteResult* result = nullptr);

  // Returns once every write that returned before the call survives a power cut.
  // FailedPrecondition if the database is open read-only, as for every write.
  absl::Status Sync();

  // ---- compaction ----
  //
  // Records that were replaced or deleted are dead, and keep their space until their segment is
  // compacted: its live records are copied into other segments, and its file is removed. The
  // database does that by itself, as Options::compaction says; these functions are for more, or for
  // other times. Segments are compacted once they are full; CompactAll need not wait for that.
  // Readers and writers go on meanwhile, as do snapshots, iterators and PinnedValues: what they
  // still need is removed by a later call. One call at a time compacts; others wait. While records
  // are copied, the disk holds them twice.
  // After a crash or power cut at any moment the database has all it had. FailedPrecondition if the
  // database is open read-only. Other errors are those of a write with sync: what was done stays
  // done, and a later call goes on. `*report` is set whatever the result is; it may be null.

  // Compacts what it pays most to compact, until the files have got smaller by `bytes` or there is
  // nothing to gain. On a keystore that does not tell what a write replaces (rocksdb), it goes by
  // what is dead as of a walk over the index, which it makes before.
  absl::Status CompactSome(uint64_t bytes, CompactionReport* report = nullptr);

  // Compacts every segment that has a dead record. The one that is being written is ended for that
  // if 4 KiB of it are dead; otherwise it is left. On rocksdb it makes the same walk before. On a
  // full disk both compact what fits, and return ResourceExhausted if that was not all.
  absl::Status CompactAll(CompactionReport* report = nullptr);

  // While paused the database does not compact by itself, and the bound on its space is not kept.
  // Returns once a job that it runs has ended. Calls do not nest: one Resume ends all pauses.
  absl::Status PauseCompaction();
  // Lets the database compact by itself again.
  absl::Status ResumeCompaction();

  // ---- checkpoints ----

  // Makes a database of its own in the directory `path`, which must not exist, with the state after
  // one write that is not older than any write that returned before the call. Readers, writers and
  // compaction go on meanwhile. Sealed segments are linked where the file system can do that, which
  // takes neither time nor space, and else copied; what is still written is copied. The checkpoint
  // has no index yet: a keystore on disk builds it at the first opening. When this returns OK, it
  // survives a power cut. Linked files share their bytes with this database until one of the two
  // compacts them away: that guards against deletion and mistakes, not against damage to the disk.
  //
  // Never copy the directory of an open database by other means: its files may go while you do.
  //
  // AlreadyExists if there is something at `path`; NotFound if its parent does not exist. After any
  // other error this database is as before, and what was made is removed, except for the directory
  // and its file LOCK. While it is made the checkpoint cannot be opened; after a crash it may hold
  // segments without MANIFEST, which Open refuses.
  absl::Status Checkpoint(std::string_view path);

  // ---- state ----

  // The number of keys according to the keystore. It is exact for keystores in memory. For one on
  // disk it is the count of its index, which writes reach later; walk the keys for an exact count.
  uint64_t KeyCount() const;
  // Figures about the database as it is now, and about what it has done since opening.
  Stats GetStats() const;

  // OK, or the reason why the database takes no writes: the log failed, which is final; the index
  // on disk failed, and the next opening builds it anew; or the disk of the index is full, and the
  // database keeps trying.
  absl::Status BackgroundStatus() const;

  // Checks every byte on disk, and compares the index with the log in both directions. Readers and
  // writers may go on meanwhile, and compaction waits. OK if everything could be checked; what was
  // found is in the report.
  absl::StatusOr<VerifyReport> Verify();

  // Makes everything durable, ends background work and releases the directory. Later calls, from
  // any thread, return FailedPrecondition; calls in progress either finish first or return that.
  // PinnedValues stay valid, and so do Iterators unless the keystore is on disk: then they end with
  // FailedPrecondition. A second Close waits for the first and returns the same status.
  // An error means that the last unsynced writes may not survive a power cut. If it names the
  // index, it means only that the next opening must read more of the log or build the index anew.
  absl::Status Close();

 private:
  friend struct DbTestPeer;

  explicit DB(std::shared_ptr<Store> store) : store_(std::move(store)) {}

  // InvalidArgument if the snapshot is one of another database.
  absl::Status CheckSnapshot(const Snapshot& snapshot) const;
  // Checks the options of a walk, takes a snapshot if they have none, and turns the prefix into
  // bounds.
  absl::Status PrepareWalk(IteratorOptions* options);
  // The location that `key` had as of the snapshot.
  absl::Status FindAt(const Snapshot& snapshot, const PreparedKey& key, Location* location) const;
  // The common part of all reads: finds the key's location, at the snapshot if the options name
  // one, reads the record there, and calls take(location, record) while the record may be looked
  // into.
  template <typename Take>
  absl::Status Read(std::string_view key, const ReadOptions& options, Take take);

  // Shared with iterators, which may outlive the DB object.
  std::shared_ptr<Store> store_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_DB_H_
