// Finds where the records of sealed segments end whose footers are damaged.

#ifndef RUMCASK_CORE_LOG_SEALED_ENDS_H_
#define RUMCASK_CORE_LOG_SEALED_ENDS_H_

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

#include "core/log/recovery.h"
#include "core/system/file_system.h"

namespace rumcask {

// Sorts the log's segments by their ids and sets the end of each that MANIFEST lists as sealed and
// that has no trailer: MANIFEST has it of a survivor, and the header of its successor names it of
// another. The last segment ends with its last record that verifies, and has to hold what was
// durable. `*highest_seen` becomes at least the
// highest number that any of them has.
//
// `on_damage` is given a file, an offset and a cause, where what was sealed is not there; an error
// that it returns ends the search.
absl::Status FindSealedEnds(
    Directory* directory, RecoveredLog* log, uint64_t* highest_seen,
    absl::FunctionRef<absl::Status(std::string, uint64_t, std::string)> on_damage);

// A survivor's records were durable in the user's stream before they were copied, so that none has
// a number above the log's last. `on_damage` is told of survivors that do.
absl::Status CheckSurvivors(
    const RecoveredLog& log,
    absl::FunctionRef<absl::Status(std::string, uint64_t, std::string)> on_damage);

}  // namespace rumcask

#endif  // RUMCASK_CORE_LOG_SEALED_ENDS_H_
