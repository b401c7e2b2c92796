// rumcask put DB KEY [VALUE]

#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"

#include "core/db.h"
#include "core/format/limits.h"
#include "tools/cli/command.h"
#include "tools/cli/commands.h"
#include "tools/cli/line_reader.h"
#include "tools/cli/open_database.h"
#include "tools/cli/text_encoding.h"

namespace rumcask::cli {
namespace {

absl::StatusOr<std::string> ReadStandardInput(size_t limit) {
  LineReader lines(STDIN_FILENO);
  std::string bytes;
  std::string_view piece;
  while (lines.StartLine()) {
    while (lines.NextPiece(&piece)) bytes.append(piece.substr(0, limit + 1 - bytes.size()));
    if (lines.terminated()) bytes.push_back('\n');
    if (bytes.size() > limit) {
      return absl::InvalidArgumentError(
          absl::StrFormat("standard input is longer than %d bytes", limit));
    }
  }
  if (!lines.status().ok()) return Prefixed("standard input: ", lines.status());
  return bytes;
}

absl::StatusOr<std::string> ValueFromStandardInput(const Flags& flags) {
  absl::StatusOr<std::string> text =
      ReadStandardInput(flags.hex ? kMaxValueBytes * 2 + 1 : kMaxValueBytes);
  if (!text.ok() || !flags.hex) return text;
  // A trailing newline is ignored, because get --hex prints one.
  if (!text->empty() && text->back() == '\n') text->pop_back();
  std::optional<std::string> bytes = FromHex(*text);
  if (!bytes) return absl::InvalidArgumentError("standard input is not hexadecimal");
  return *std::move(bytes);
}

absl::Status Put(const Flags& flags, std::string_view key_text,
                 const std::optional<std::string>& value_text) {
  absl::StatusOr<std::string> key = DecodeArgument(flags, key_text);
  if (!key.ok()) return key.status();
  // The value is read before opening, so that nobody is locked out while it arrives.
  absl::StatusOr<std::string> value = value_text && *value_text != "-"
                                          ? DecodeArgument(flags, *value_text)
                                          : ValueFromStandardInput(flags);
  if (!value.ok()) return value.status();
  absl::StatusOr<std::unique_ptr<DB>> db = OpenForWriting(flags, /*create_if_missing=*/true);
  if (!db.ok()) return db.status();
  absl::Status status = (*db)->Put(*key, *value, {flags.sync});
  if (!status.ok()) return status;
  return (*db)->Close();
}

}  // namespace

int RunPut(const std::vector<std::string>& arguments) {
  CommandLine line("Stores VALUE under KEY. Creates the database if there is none.");
  Flags flags;
  std::string key;
  std::optional<std::string> value;
  AddDatabase(&line, &flags);
  line.Argument("KEY", &key, "1 to 65535 bytes; a key that begins with a dash must follow --");
  line.OptionalArgument("VALUE", &value, "Up to 1 GiB; missing or - means standard input");
  AddKeystore(&line, &flags);
  AddHex(&line, &flags);
  AddSync(&line, &flags);
  return Run("put", &line, arguments, [&] { return Put(flags, key, value); });
}

}  // namespace rumcask::cli
