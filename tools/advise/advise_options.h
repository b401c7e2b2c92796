// The flags of `rumcask advise` that describe a profile.

#ifndef RUMCASK_TOOLS_ADVISE_ADVISE_OPTIONS_H_
#define RUMCASK_TOOLS_ADVISE_ADVISE_OPTIONS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "tools/advise/profile.h"
#include "tools/cli/command_line.h"

namespace rumcask::advise {

// What is empty was not given.
struct AdviseOptions {
  std::optional<std::string> keys;
  std::string key_size;
  std::string value_size;
  std::optional<std::string> gets;
  std::optional<std::string> overwrites;
  std::optional<std::string> inserts;
  std::optional<std::string> scans;
  std::optional<std::string> scan_length;
  std::string popular;
  bool ascending = false;
  std::vector<std::string> property_files;
  std::vector<std::string> properties;

  bool ordered = false;
  bool exact_keys = false;
  std::string memory;
  std::optional<std::string> open_within;
  std::optional<std::string> recover_within;
};

void DeclareFlags(cli::CommandLine* line, AdviseOptions* options);

// What the flags say, and where they say nothing, the properties, then `base`, of which the sizes
// and the number of keys may come from a database. Errors are InvalidArgument and mean wrong usage.
absl::StatusOr<Profile> ProfileOf(const AdviseOptions& options, const Profile& base);

}  // namespace rumcask::advise

#endif  // RUMCASK_TOOLS_ADVISE_ADVISE_OPTIONS_H_
