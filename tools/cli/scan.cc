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
#include "nlohmann/json.hpp"

#include "core/db.h"
#include "tools/cli/command.h"
#include "tools/cli/commands.h"
#include "tools/cli/json_text.h"
#include "tools/cli/open_database.h"
#include "tools/cli/output.h"
#include "tools/cli/printable.h"
#include "tools/cli/text_encoding.h"

namespace rumcask::cli {
namespace {

struct ScanFlags {
  std::string prefix;
  std::string from;
  std::string to;
  uint64_t limit = std::numeric_limits<uint64_t>::max();
  bool keys_only = false;
  bool null = false;
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

// The form in which keys and values are printed.
enum class Style { kPlain, kHex, kNull, kJson };

// Adds the text as "NAME" or, if the bytes are not UTF-8, as hexadecimal digits under "NAME_hex".
void AddText(const std::string& name, std::string_view bytes, nlohmann::ordered_json* json) {
  nlohmann::ordered_json text = std::string(bytes);
  try {
    (void)text.dump();
    (*json)[name] = std::move(text);
  } catch (const nlohmann::json::type_error&) {
    (*json)[name + "_hex"] = ToHex(bytes);
  }
}

// One key, with its value unless `value_of` is null.
std::string Shown(std::string_view key, const Iterator* value_of, Style style, bool on_terminal) {
  if (style == Style::kJson) {
    nlohmann::ordered_json json;
    AddText("key", key, &json);
    if (value_of != nullptr) AddText("value", value_of->value(), &json);
    return JsonText(json, /*indent=*/-1) + "\n";
  }
  const auto shown = [style, on_terminal](std::string_view bytes) {
    if (style == Style::kHex) return ToHex(bytes);
    if (on_terminal) return Printable(bytes, Escaping::kBackslash);
    return std::string(bytes);
  };
  const std::string_view end = style == Style::kNull ? std::string_view("\0", 1) : "\n";
  std::string text = shown(key);
  if (value_of != nullptr) {
    text += style == Style::kNull ? end : "\t";
    text += shown(value_of->value());
  }
  text += end;
  return text;
}

absl::Status Scan(const Flags& flags, const ScanFlags& scan) {
  if (flags.json + flags.hex + scan.null > 1) {
    return UsageError("--json, --hex and --null exclude each other");
  }
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
  const Style style = flags.json  ? Style::kJson
                      : flags.hex ? Style::kHex
                      : scan.null ? Style::kNull
                                  : Style::kPlain;
  const bool on_terminal = ::isatty(STDOUT_FILENO) == 1;
  if (scan.reverse) (*it)->SeekToLast();
  for (uint64_t left = scan.limit; left > 0 && (*it)->Valid() && output.status().ok(); --left) {
    output.Append(Shown((*it)->key(), scan.keys_only ? nullptr : it->get(), style, on_terminal));
    scan.reverse ? (*it)->Prev() : (*it)->Next();
  }
  absl::Status status = output.Flush();
  if (status.ok()) status = (*it)->status();
  return status.ok() ? database->complete : status;
}

}  // namespace

int RunScan(const std::vector<std::string>& arguments) {
  CommandLine line(
      "Prints KEY<TAB>VALUE, one record per line, in the order of the keys if the keystore has "
      "one. On a terminal, control characters, characters that change the direction of writing, "
      "and backslashes are shown as a backslash and two hexadecimal digits for each byte. "
      "Elsewhere the bytes are printed unchanged, so a newline in a value begins a new line, "
      "unless --null, --json or --hex is given. Records that cannot be read because of damage are "
      "left out, and the exit code is 3.");
  Flags flags;
  ScanFlags scan;
  AddDatabase(&line, &flags);
  AddKeystore(&line, &flags);
  AddHex(&line, &flags);
  line.Flag("--json", &flags.json,
            "Print each record as a JSON object on its own line, with key and value, or key_hex "
            "and value_hex if the bytes are not UTF-8");
  line.Flag("-0,--null", &scan.null,
            "Print a NUL byte after each key and each value instead of tabs and newlines");
  line.Option("--prefix", "BYTES", &scan.prefix, "Print only keys that begin with BYTES");
  line.Option("--from", "KEY", &scan.from, "Print only KEY and the keys after it");
  line.Option("--to", "KEY", &scan.to, "Print only keys before KEY");
  line.Option("--limit", "N", &scan.limit, "Stop after N records");
  line.Flag("--keys-only", &scan.keys_only, "Print no values");
  line.Flag("--ordered", &scan.ordered, "Fail if the keystore has no order");
  line.Flag("--reverse", &scan.reverse, "Print the last key first");
  return Run("scan", &line, arguments, [&] { return Scan(flags, scan); });
}

}  // namespace rumcask::cli
