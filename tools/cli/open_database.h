// Opening the database that the command line names.

#ifndef RUMCASK_TOOLS_CLI_OPEN_DATABASE_H_
#define RUMCASK_TOOLS_CLI_OPEN_DATABASE_H_

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/db.h"
#include "core/plugin/keystore.h"
#include "tools/cli/command.h"

namespace rumcask::cli {

// A database opened for reading, as far as damage allows.
struct ReadOnlyDatabase {
  std::unique_ptr<DB> db;
  // DataLoss if damage hides which keys there are, so that one may be missing that should be there.
  absl::Status complete;
  // Why the index on disk could not be used and the log was read instead; empty: it was used, or
  // not asked for.
  std::string index_unusable;
};

// Where the keys are found if no keystore is asked for.
enum class ReadFrom {
  kIndex,  // the database's own
  kLog,    // one built in memory, so that all of it is told from the log: for whoever reads it all
};

// Open as the flags say, waiting for whoever has it open if they say so. An unknown keystore is a
// UsageError. For reading, an index on disk that is broken, missing or far behind does not matter:
// one is built in memory, as ordered as the other is. For writing, it is built anew, and a note on
// standard error tells why.
absl::StatusOr<ReadOnlyDatabase> OpenForReading(const Flags& flags,
                                                ReadFrom from = ReadFrom::kIndex);
absl::StatusOr<std::unique_ptr<DB>> OpenForWriting(const Flags& flags, bool create_if_missing);

// `status`, which is of an operation on the database in `path`, in words if it is about the path
// itself: that there is no database, that it is a file, or that it may not be entered or, with
// `create`, made.
absl::Status AboutPath(std::string_view path, bool create, const absl::Status& status);

// The one asked for, else the database's, else the default. A name that nobody knows is a
// UsageError.
absl::StatusOr<KeystoreFactory> KeystoreOf(const Flags& flags);
absl::StatusOr<KeystoreFactory> NamedKeystore(std::string_view name);

// Decides how often to try what may fail because the database is open elsewhere.
class Patience {
 public:
  explicit Patience(double seconds);
  // Whether to try again after `status`; waits a moment if so.
  bool Lasts(const absl::Status& status) const;

 private:
  const std::chrono::duration<double> duration_;
  const std::chrono::steady_clock::time_point begin_;
};

// What `attempt`, called until it returns a StatusOr that is not Unavailable or
// `flags.wait_seconds` are over, returned last.
template <typename Attempt>
auto RetryWhileLocked(const Flags& flags, const Attempt& attempt) -> decltype(attempt()) {
  const Patience patience(flags.wait_seconds);
  while (true) {
    auto result = attempt();
    if (!patience.Lasts(result.status())) return result;
  }
}

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_OPEN_DATABASE_H_
