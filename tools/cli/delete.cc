// rumcask delete DB KEY

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/db.h"
#include "tools/cli/command.h"
#include "tools/cli/commands.h"
#include "tools/cli/open_database.h"

namespace rumcask::cli {
namespace {

absl::Status Delete(const Flags& flags, std::string_view key_text) {
  absl::StatusOr<std::string> key = DecodeArgument(flags, key_text);
  if (!key.ok()) return key.status();
  absl::StatusOr<std::unique_ptr<DB>> db = OpenForWriting(flags, /*create_if_missing=*/false);
  if (!db.ok()) return db.status();
  WriteResult result;
  absl::Status status = (*db)->Delete(*key, {flags.sync}, &result);
  if (!status.ok()) return status;
  status = (*db)->Close();
  if (!status.ok()) return status;
  return result.existed ? absl::OkStatus() : absl::NotFoundError("");
}

}  // namespace

int RunDelete(const std::vector<std::string>& arguments) {
  CommandLine line("Removes KEY and its value. Exit code 2 if there is no such key.");
  Flags flags;
  std::string key;
  AddDatabase(&line, &flags);
  line.Argument("KEY", &key, "A key that begins with a dash must follow --");
  AddKeystore(&line, &flags);
  AddHex(&line, &flags);
  AddSync(&line, &flags);
  return Run("delete", &line, arguments, [&] { return Delete(flags, key); });
}

}  // namespace rumcask::cli
