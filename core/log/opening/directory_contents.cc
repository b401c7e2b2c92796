#include "core/log/opening/directory_contents.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "core/format/format.h"
#include "core/format/manifest.h"
#include "core/system/text.h"

namespace rumcask {

absl::StatusOr<DirectoryContents> ClassifyDirectory(Directory* directory) {
  absl::StatusOr<std::vector<std::string>> names = directory->List();
  if (!names.ok()) return names.status();
  DirectoryContents result = DirectoryContents::kEmpty;
  for (const std::string& name : *names) {
    if (name == kManifestName) return DirectoryContents::kDatabase;
    if (ParseSegmentName(name).has_value()) {
      result = DirectoryContents::kSegments;
    } else if (name != kLockName && name != kManifestNextName &&
               result == DirectoryContents::kEmpty) {
      result = DirectoryContents::kForeign;
    }
  }
  return result;
}

absl::Status ForeignDirectory(std::string_view path) {
  return absl::FailedPreconditionError(
      absl::StrCat(Text(path), ": directory holds other files and no database"));
}

}  // namespace rumcask
