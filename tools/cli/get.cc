// rumcask get DB KEY

#include <unistd.h>

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
#include "tools/cli/output.h"
#include "tools/cli/printable.h"
#include "tools/cli/text_encoding.h"

namespace rumcask::cli {
namespace {

absl::Status Get(const Flags& flags, std::string_view key_text) {
  absl::StatusOr<std::string> key = DecodeArgument(flags, key_text);
  if (!key.ok()) return key.status();
  absl::StatusOr<ReadOnlyDatabase> database = OpenForReading(flags);
  if (!database.ok()) return database.status();
  PinnedValue value;
  absl::Status status = database->db->Get(*key, &value);
  if (absl::IsNotFound(status) && !database->complete.ok()) {
    return Prefixed("no such key among those that can be read: ", database->complete);
  }
  if (!status.ok()) return status;
  if (flags.hex) return Print(ToHex(value.value()) + "\n");
  // On a terminal the prompt would follow on the same line, and control characters would take
  // effect.
  if (::isatty(STDOUT_FILENO) == 1) {
    return Print(Printable(value.value(), Escaping::kLines) + "\n");
  }
  return Print(value.value());
}

}  // namespace

int RunGet(const std::vector<std::string>& arguments) {
  CommandLine line(
      "Prints the value of KEY unchanged and without a newline. On a terminal a newline follows, "
      "and control characters and characters that change the direction of writing are shown as a "
      "backslash and two hexadecimal digits for each byte. With --hex a newline follows too. Exit "
      "code 2 if there is no such key.");
  Flags flags;
  std::string key;
  AddDatabase(&line, &flags);
  line.Argument("KEY", &key, "A key that begins with a dash must follow --");
  AddKeystore(&line, &flags);
  AddHex(&line, &flags);
  return Run("get", &line, arguments, [&] { return Get(flags, key); });
}

}  // namespace rumcask::cli
