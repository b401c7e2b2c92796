// rumcask scan DB

#include <unistd.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"

#include "core/db.h"
#include "tools/cli/command.h"
#include "tools/cli/commands.h"
#include "tools/cli/open_database.h"
#include "tools/cli/output.h"
#include "tools/cli/text_encoding.h"

namespace rumcask::cli {
namespace {

struct ScanFlags {
  std::string prefix;
  std::string from;
  std::string to;
  uint64_t limit = std::numeric_limits<uint64_t>::max();
  bool keys_only = false;
  bool ordered = false;
  bool reverse = false;
};

absl::StatusOr<IteratorOptions> OptionsOf(const Flags& flags, const ScanFlags& scan,
                                          const KeystoreTraits& keystore) {
  if (scan.reverse && !keystore.ordered) {
    return absl::UnimplementedError(
        absl::StrFormat("--reverse: the %s keystore cannot go backwards", keystore.name));
  }
  IteratorOptions options;
  options.keys_only = scan.keys_only;
  options.ordered = scan.ordered || keystore.ordered;
  for (const auto& [text, bytes] :
       {std::pair(&scan.prefix, &options.prefix), std::pair(&scan.from, &options.lower),
        std::pair(&scan.to, &options.upper)}) {
    absl::StatusOr<std::string> decoded = DecodeArgument(flags, *text);
    if (!decoded.ok()) return decoded.status();
    *bytes = *std::move(decoded);
  }
  return options;
}

absl::Status Scan(const Flags& flags, const ScanFlags& scan) {
  absl::StatusOr<KeystoreFactory> keystore = KeystoreOf(flags);
  if (!keystore.ok()) return keystore.status();
  const absl::StatusOr<IteratorOptions> options = OptionsOf(flags, scan, keystore->traits);
  if (!options.ok()) return options.status();
  absl::StatusOr<ReadOnlyDatabase> database = OpenForReading(flags);
  if (!database.ok()) return database.status();
  absl::StatusOr<std::unique_ptr<Iterator>> it = database->db->NewIterator(*options);
  if (!it.ok()) return it.status();
  if (!options->ordered) {
    PrintError(absl::StrFormat("note: the %s keystore has no order", keystore->traits.name));
  }
  Output output(STDOUT_FILENO, "standard output");
  const auto append = [&](std::string_view bytes) {
    output.Append(flags.hex ? std::string_view(ToHex(bytes)) : bytes);
  };
  if (scan.reverse) (*it)->SeekToLast();
  for (uint64_t left = scan.limit; left > 0 && (*it)->Valid() && output.status().ok(); --left) {
    append((*it)->key());
    if (!scan.keys_only) {
      output.Append("\t");
      append((*it)->value());
    }
    output.Append("\n");
    scan.reverse ? (*it)->Prev() : (*it)->Next();
  }
  absl::Status status = output.Flush();
  if (status.ok()) status = (*it)->status();
  return status.ok() ? database->complete : status;
}

}  // namespace

int RunScan(const std::vector<std::string>& arguments) {
  CommandLine line(
      "Prints KEY<TAB>VALUE, one a line, in the order of the keys if the keystore has one. What "
      "can't be read because of damage is left out, and the exit code is 3.");
  Flags flags;
  ScanFlags scan;
  AddDatabase(&line, &flags);
  AddKeystore(&line, &flags);
  AddHex(&line, &flags);
  line.Option("--prefix", "BYTES", &scan.prefix, "Only keys that begin with this");
  line.Option("--from", "KEY", &scan.from, "Only this key and keys after it");
  line.Option("--to", "KEY", &scan.to, "Only keys before this one");
  line.Option("--limit", "N", &scan.limit, "Stop after this many");
  line.Flag("--keys-only", &scan.keys_only, "No values");
  line.Flag("--ordered", &scan.ordered, "Fail if the keystore has no order");
  line.Flag("--reverse", &scan.reverse, "Last key first");
  return Run("scan", &line, arguments, [&] { return Scan(flags, scan); });
}

}  // namespace rumcask::cli
