// Opens the database that the command line names.

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
  // DataLoss if, because of damage, keys may be missing that should be there.
  absl::Status complete;
  // The reason why the index on disk could not be used, so that the log was read instead. Empty if
  // the index was used or not requested.
  std::string index_unusable;
};

// Where the keys are read from if no keystore is given.
enum class ReadFrom {
  kIndex,  // the database's own index
  kLog,    // an index built in memory from the log, for commands that read all of the log
};

// These open the database as the flags say, and wait for another process that has it open if the
// flags say so. An unknown keystore is a UsageError. For reading, it does not matter if an index on
// disk is broken, missing or far behind: an index in memory is built that is ordered if the other
// one is. For writing, the index on disk is built anew, and a note on standard error says why.
absl::StatusOr<ReadOnlyDatabase> OpenForReading(const Flags& flags,
                                                ReadFrom from = ReadFrom::kIndex);
absl::StatusOr<std::unique_ptr<DB>> OpenForWriting(const Flags& flags, bool create_if_missing);

// If `status`, of an operation on the database in `path`, is about the path itself, the same in
// plain words: there is no database, the path is a file, or it may not be entered or, with
// `create`, not be created. Otherwise `status`.
absl::Status AboutPath(std::string_view path, bool create, const absl::Status& status);

// The keystore that the flags name, or else the database's, or else the default. An unknown name is
// a UsageError.
absl::StatusOr<KeystoreFactory> KeystoreOf(const Flags& flags);
absl::StatusOr<KeystoreFactory> NamedKeystore(std::string_view name);

// Decides how long to retry what fails because the database is open elsewhere.
class Patience {
 public:
  explicit Patience(double seconds);
  // Whether to try again after `status`; if so, waits a moment first.
  bool Lasts(const absl::Status& status) const;

 private:
  const std::chrono::duration<double> duration_;
  const std::chrono::steady_clock::time_point begin_;
};

// Calls `attempt` until it returns a StatusOr that is not Unavailable or until `flags.wait_seconds`
// are over. Returns the last result.
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
