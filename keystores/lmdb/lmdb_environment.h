// Opening LMDB's files, and telling whether they can be opened: LMDB itself trusts what it finds.

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

// A file is rewritten at opening if it is larger than this and more than half of it is free:
// smaller ones are not worth the wait, and a half is what random inserts leave in a tree's pages
// anyway.
inline constexpr uint64_t kLmdbRewriteBytes = uint64_t{16} << 20;

struct LmdbCloser {
  void operator()(MDB_env* env) const { mdb_env_close(env); }
  void operator()(MDB_txn* txn) const { mdb_txn_abort(txn); }
  void operator()(MDB_cursor* cursor) const { mdb_cursor_close(cursor); }
};
using LmdbEnvironment = std::unique_ptr<MDB_env, LmdbCloser>;
using LmdbTransaction = std::unique_ptr<MDB_txn, LmdbCloser>;
using LmdbCursor = std::unique_ptr<MDB_cursor, LmdbCloser>;

// What a result of LMDB's other than MDB_SUCCESS means, naming the call and the path.
absl::Status LmdbStatus(std::string_view call, std::string_view path, int result);

// Opens the files in the directory `path` with room for `maps` named maps and `max_readers` read
// transactions at once, and makes them if there are none. With `read_only` changes and locks
// nothing, and NotFound if there are none. DataLoss or FailedPrecondition if they are not LMDB's or
// cut short.
absl::StatusOr<LmdbEnvironment> OpenLmdbEnvironment(const std::string& path, bool read_only,
                                                    unsigned maps, unsigned max_readers);

// Makes the file as long as the number of its pages says. LMDB never writes a page that a
// transaction allocated and freed again; if that is the last one, the file stays short, which
// OpenLmdbEnvironment could not tell from a file that was cut. To be called after every commit; if
// it fails, or a crash comes in between, an index may be rebuilt that need not.
void ExtendLmdbFile(MDB_env* env);

}  // namespace rumcask

#endif  // RUMCASK_KEYSTORES_LMDB_LMDB_ENVIRONMENT_H_
