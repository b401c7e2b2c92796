// The database. Public; start here.
//
//   auto db = rumcask::Open("/var/lib/app/db", options);          // rumcask/open.h: hash keystore
//   absl::Status s = (*db)->Put("key", "value");
//   std::string value;
//   s = (*db)->Get("key", &value);
//
// What holds for every function unless it says otherwise:
//
// Bytes. Keys have 1 to 65,535 bytes (less if the keystore or Options::max_key_bytes says so),
// values 0 bytes to 1 GiB; any bytes.
//
// Durability. When Put, Delete or Write has returned OK, the write survives the death of the
// process. With WriteOptions::sync, or once Sync has returned OK, it survives a power cut. After a
// power cut the writes that survive are a prefix of all writes in the order of their versions,
// never one with holes. A write that returned an error may or may not be found after reopening,
// but never half of it, and until then it is as if it had not happened - with one exception: a
// failed fdatasync is final, it turns the database read-only, and reads may then still show writes
// whose sync failed.
//
// Arguments. Keys and values may be views of anything that stays valid until the call returns, also
// of what an out-parameter holds before it: Get(pinned.value(), &pinned) reads the key that the old
// value names, Seek(it->key()) and Put(it->key(), it->value()) do what they say.
//
// Damage. A read never returns bytes that fail their checksum, belong to another key, or are older
// than a newer value that was acknowledged. A damaged record is DataLoss naming file and offset,
// for its key only. Limits of that promise: with ReadMode::kMapped a sector the device cannot read
// raises SIGBUS; keystores that identify a key by a digest state the odds of a collision; a
// keystore on disk finds what its own files say, of which LMDB's have no checksums, until Verify
// compares them with the log; and OpenReadOnly serves what it can of a database that Open refuses.
//
// Threads. Every function may be called from any thread at any time, except that the destructor
// must be the last call. No lock is held while the caller's code runs.
//
// Processes. One process at a time has a database open for writing; any number may have it open
// read-only while none writes. A child made by fork must not use the parent's DB: every call there
// returns FailedPrecondition and touches nothing, the destructor included.
//
// Errors. NotFound with an empty message: the key is missing. InvalidArgument: a bad key, value,
// option or path, refused before any I/O. FailedPrecondition: closed, read-only, a forked child, or
// the directory was removed while the database was open. ResourceExhausted: the disk or a quota is
// full, or the process has no memory or file descriptor left; reads of what is open and a later
// retry work. DataLoss: damage. PermissionDenied: the system refuses access. Internal: another
// error of the system; as all its errors, with the call, the file and the reason in the message.

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
// In stats.h and verify.h, which those include who ask for them.
struct Stats;
struct VerifyReport;

class DB {
 public:
  // Opens the database in directory `path` for reading and writing.
  //
  // Fails with NotFound naming the path if there is none and create_if_missing is false;
  // AlreadyExists by error_if_exists; FailedPrecondition if the directory holds something else or
  // was made with a keystore this one can't be exchanged with; Unavailable naming the holder if it
  // is open elsewhere, also under another spelling of the path; DataLoss if something that was
  // promised is gone (see Repair in repair.h). A failed open changes neither segments nor MANIFEST.
  //
  // After an unclean end, a tail that was never promised to survive is cut; GetStats says how many
  // bytes. An unsynced write that survived the end of the process is kept.
  static absl::StatusOr<std::unique_ptr<DB>> Open(std::string_view path, const Options& options);

  // Opens without writing anything. Damage does not refuse: what verifies is served. Where Open
  // would have refused, nothing tells which keys are concerned: they may be missing or have an
  // older value, of which the listener is told before this returns. Excludes writers while open.
  //
  // A keystore in memory reads every database, whatever it was made with: the index is built from
  // the log. One on disk uses the index that is there; FailedPrecondition if that lacks more than
  // replay_bytes of log or is of no use, until the database has been open for writing once.
  static absl::StatusOr<std::unique_ptr<DB>> OpenReadOnly(std::string_view path,
                                                          const Options& options);

  // The keystore that the database in `path` was made with or reindexed to, by its name; empty if
  // the opening that was to make it did not come to its end, so that it may still be any. NotFound
  // if there is no database.
  static absl::StatusOr<std::string> StoredKeystore(std::string_view path,
                                                    FileSystem* file_system = nullptr);

  // Closes if Close was not called; errors are lost then.
  ~DB();
  DB(const DB&) = delete;
  DB& operator=(const DB&) = delete;

  // ---- reading ----

  // With ReadOptions::snapshot these read at that moment; at one that was given up they return
  // ResourceExhausted, at one of another database InvalidArgument.

  // Replaces `*value` by the key's value, keeping the string's memory where it suffices; with
  // `version`, also tells its sequence number. On any error both are unchanged or `*value` is
  // unspecified.
  absl::Status Get(std::string_view key, std::string* value, const ReadOptions& options = {},
                   uint64_t* version = nullptr);

  // The same with a new string.
  absl::StatusOr<std::string> Get(std::string_view key, const ReadOptions& options = {});

  // Without copying where the read mode allows: `*value` keeps the bytes, and the segment they are
  // in, until it is destroyed or assigned - also past deletion of the key and past Close. On any
  // error it is empty.
  absl::Status Get(std::string_view key, PinnedValue* value, const ReadOptions& options = {});

  // Reads keys[i] into (*values)[i], with (*statuses)[i] as Get would return it. Both vectors are
  // resized to keys.size(); strings already there are reused. Each key is read on its own: together
  // they are of one moment only with a snapshot. Faster than single Gets, since the waits for
  // memory overlap.
  void MultiGet(absl::Span<const std::string_view> keys, std::vector<std::string>* values,
                std::vector<absl::Status>* statuses, const ReadOptions& options = {});

  // Now, as a moment that reads and iterators can go back to; see snapshot.h. Takes the write lock
  // for an instant.
  absl::StatusOr<std::shared_ptr<const Snapshot>> TakeSnapshot();

  // Walks all keys of one moment; see iterator.h. Unimplemented if order is asked of an unordered
  // keystore.
  absl::StatusOr<std::unique_ptr<Iterator>> NewIterator(const IteratorOptions& options = {});

  // ---- writing ----

  // Stores the value. Whoever wants to know what was there before passes `result`.
  absl::Status Put(std::string_view key, std::string_view value, const WriteOptions& options = {},
                   WriteResult* result = nullptr);

  // Removes the key; OK also if it was not there. Then an in-memory keystore's database writes
  // nothing (with sync it still waits until everything it observed is durable); one with an index
  // on disk looks first, and writes nothing, only if `result` is asked for.
  absl::Status Delete(std::string_view key, const WriteOptions& options = {},
                      WriteResult* result = nullptr);

  // Stores only if the key is missing, else AlreadyExists with result->version telling what is
  // there. With sync, a refusal too is returned only once what it observed is durable; this holds
  // for the next two as well.
  absl::Status PutIfAbsent(std::string_view key, std::string_view value,
                           const WriteOptions& options = {}, WriteResult* result = nullptr);

  // Stores only if the key's version is `version` (0: only if it is missing), else Aborted.
  absl::Status CompareAndPut(std::string_view key, std::string_view value, uint64_t version,
                             const WriteOptions& options = {}, WriteResult* result = nullptr);

  // Removes only if the key's version is `version`, else Aborted. `version` 0 asks for the key to
  // be missing and then writes nothing.
  absl::Status CompareAndDelete(std::string_view key, uint64_t version,
                                const WriteOptions& options = {}, WriteResult* result = nullptr);

  // All of the batch or nothing. `result->version` is the last operation's; `existed` is not set.
  absl::Status Write(const WriteBatch& batch, const WriteOptions& options = {},
                     WriteResult* result = nullptr);

  // Returns once every write that returned before the call survives a power cut.
  // FailedPrecondition if the database is open read-only, as for every write.
  absl::Status Sync();

  // ---- state ----

  // The keystore's count of keys: exact on one in memory; on a keystore on disk that of its index,
  // which writes reach later. Walk the keys to count them exactly.
  uint64_t KeyCount() const;
  Stats GetStats() const;

  // OK, or why the database takes no writes: the log failed, which is final; or the index on disk
  // did, which is built anew at the next opening; or that one's disk is full, and it is tried
  // again.
  absl::Status BackgroundStatus() const;

  // Checks every byte on disk and the index against the log, both ways, beside readers and
  // writers. OK if it could look at everything; what it found is in the report.
  absl::StatusOr<VerifyReport> Verify();

  // Makes everything durable, ends background work and lets go of the directory. Later calls, from
  // any thread, return FailedPrecondition; calls that are under way finish first or return that.
  // PinnedValues stay valid, and Iterators too unless the keystore is one on disk: then they end
  // with FailedPrecondition. A second Close waits for the first and returns the same.
  // An error means that the last unsynced writes may not survive a power cut - or, if it names the
  // index, only that the next opening has more of the log to read or builds the index anew.
  absl::Status Close();

 private:
  explicit DB(std::shared_ptr<Store> store) : store_(std::move(store)) {}

  // InvalidArgument if the snapshot is one of another database.
  absl::Status CheckSnapshot(const Snapshot& snapshot) const;
  // Where `key` was at the snapshot.
  absl::Status FindAt(const Snapshot& snapshot, const PreparedKey& key, Location* location) const;
  // What reads have in common: where the key is, as the options ask, and its record, which lies in
  // a mapping or in the calling thread's buffer.
  absl::Status Find(std::string_view key, const ReadOptions& options, Location* location,
                    RecordView* record);

  // Shared with iterators, which may outlive the DB.
  std::shared_ptr<Store> store_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_DB_H_
