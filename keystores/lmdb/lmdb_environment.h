// Opens LMDB's files, and checks first whether LMDB can open them, because LMDB itself trusts what
// it finds.

#ifndef RUMCASK_KEYSTORES_LMDB_LMDB_ENVIRONMENT_H_
#define RUMCASK_KEYSTORES_LMDB_LMDB_ENVIRONMENT_H_

#include <lmdb.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rumcask {

// An opening rewrites a file that is larger than this and more than half free. For smaller files it
// is not worth the wait, and random inserts leave up to half of a tree's pages free anyway.
inline constexpr uint64_t kLmdbRewriteBytes = uint64_t{16} << 20;

// A commit does so if the file is larger than this and three quarters of it are free. LMDB itself
// never makes a file shorter, and uses up to two thirds of it for what recent commits have
// replaced.
inline constexpr uint64_t kLmdbSmallBytes = uint64_t{1} << 20;
// And if there is no more than this to copy: nothing else is committed meanwhile.
inline constexpr uint64_t kLmdbMostCopiedBytes = uint64_t{64} << 20;

struct LmdbCloser {
  void operator()(MDB_env* env) const { mdb_env_close(env); }
  void operator()(MDB_txn* txn) const { mdb_txn_abort(txn); }
  void operator()(MDB_cursor* cursor) const { mdb_cursor_close(cursor); }
};
using LmdbEnvironment = std::unique_ptr<MDB_env, LmdbCloser>;
using LmdbTransaction = std::unique_ptr<MDB_txn, LmdbCloser>;
using LmdbCursor = std::unique_ptr<MDB_cursor, LmdbCloser>;

// The status for a result of LMDB other than MDB_SUCCESS, naming the call and the path.
absl::Status LmdbStatus(std::string_view call, std::string_view path, int result);

// Opens the files in the directory `path` with room for `maps` named maps and for `max_readers`
// simultaneous read transactions; creates the files if there are none. With `read_only`, it changes
// and locks nothing and returns NotFound if there are no files. DataLoss or FailedPrecondition if
// the files are not LMDB's or have been truncated.
absl::StatusOr<LmdbEnvironment> OpenLmdbEnvironment(const std::string& path, bool read_only,
                                                    unsigned maps, unsigned max_readers);

// Replacing the file by one with the same content and without free pages takes two steps. At every
// moment a complete, durable file with that content has the name.
//
// The first writes the new file and gives it the name of the old one, which `env` goes on using.
// From the call on nothing must be committed to it any more. On error the file is the old one.
absl::Status ReplaceLmdbFile(MDB_env* env, const std::string& path);
// The second closes `*env`, in which no transaction may be open, and opens the new file. On error
// `*env` is null if it could not be opened. If it is not null nothing must be committed to it, as a
// power cut may bring the old file back, before SyncLmdbDirectory has succeeded, which may only be
// tried after ResourceExhausted.
absl::Status UseReplacedLmdbFile(const std::string& path, unsigned maps, unsigned max_readers,
                                 LmdbEnvironment* env);
// Makes the names of the files durable. ResourceExhausted if that was not even tried.
absl::Status SyncLmdbDirectory(const std::string& path);

// Makes the file as long as its number of pages says. LMDB never writes a page that one transaction
// both allocated and freed. If that is the last page, the file stays short, and OpenLmdbEnvironment
// could not distinguish it from a truncated file. To be called after every commit. If it fails, or
// if a crash comes before it, an intact index may be rebuilt.
void ExtendLmdbFile(MDB_env* env);

// What a commit's result means. LMDB says EIO of a page of which the disk took only a part, as a
// full disk does. Its transaction has not happened then, so that it may be tried again.
int LmdbCommitResult(MDB_env* env, int result);

// What is free on the disk that the file is on; UINT64_MAX if that cannot be told.
uint64_t LmdbDiskBytes(MDB_env* env);

}  // namespace rumcask

#endif  // RUMCASK_KEYSTORES_LMDB_LMDB_ENVIRONMENT_H_
