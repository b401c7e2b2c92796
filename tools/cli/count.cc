// rumcask count DB

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"

#include "core/db.h"
#include "tools/cli/command.h"
#include "tools/cli/commands.h"
#include "tools/cli/open_database.h"
#include "tools/cli/output.h"

namespace rumcask::cli {
namespace {

absl::Status Count(const Flags& flags) {
  absl::StatusOr<ReadOnlyDatabase> database = OpenForReading(flags, ReadFrom::kLog);
  if (!database.ok()) return database.status();
  absl::Status status = Print(absl::StrFormat("%d\n", database->db->KeyCount()));
  return status.ok() ? database->complete : status;
}

}  // namespace

int RunCount(const std::vector<std::string>& arguments) {
  CommandLine line("Prints the number of keys.");
  Flags flags;
  AddDatabase(&line, &flags);
  AddKeystore(&line, &flags);
  return Run("count", &line, arguments, [&] { return Count(flags); });
}

}  // namespace rumcask::cli
