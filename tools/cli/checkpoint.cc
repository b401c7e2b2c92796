// rumcask checkpoint DB --into NEW

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

#include "core/db.h"
#include "core/system/text.h"
#include "tools/cli/command.h"
#include "tools/cli/commands.h"
#include "tools/cli/open_database.h"

namespace rumcask::cli {
namespace {

absl::Status CheckpointInto(const Flags& flags, std::string_view into) {
  absl::StatusOr<std::unique_ptr<DB>> db = OpenForWriting(flags, /*create_if_missing=*/false);
  if (!db.ok()) return db.status();
  absl::Status status = (*db)->Checkpoint(into);
  const absl::Status closed = (*db)->Close();
  if (absl::IsAlreadyExists(status)) {
    return absl::AlreadyExistsError(
        absl::StrCat(Text(into), " exists; --into needs a new directory"));
  }
  const std::string start = absl::StrCat(Text(into), ":");
  if (status.message().substr(0, start.size()) == start) {
    return AboutPath(into, /*create=*/true, status);
  }
  return status.ok() ? closed : status;
}

}  // namespace

int RunCheckpoint(const std::vector<std::string>& arguments) {
  CommandLine line(
      "Makes a database of its own with the present state of DB. Where the file system can do "
      "that, full segments are linked, not copied, so that it takes little time and space. A "
      "program that has DB open makes checkpoints with DB::Checkpoint, while it goes on writing.");
  Flags flags;
  std::string into;
  AddDatabase(&line, &flags);
  line.RequiredOption("--into", "NEW", &into,
                      "Directory of the new database, which must not exist");
  return Run("checkpoint", &line, arguments, [&] { return CheckpointInto(flags, into); });
}

}  // namespace rumcask::cli
