#include "tools/cli/damage_report.h"

#include <string>
#include <vector>

#include "absl/strings/str_format.h"

#include "core/damage.h"
#include "tools/cli/printable.h"

namespace rumcask::cli {

std::string DamageLines(const std::vector<Damage>& damages) {
  std::string text;
  for (const Damage& damage : damages) {
    absl::StrAppendFormat(&text, "%s, offset %d", Printable(damage.file), damage.offset);
    if (damage.length > 0)
      absl::StrAppendFormat(&text, ", %d byte%s", damage.length, damage.length == 1 ? "" : "s");
    absl::StrAppendFormat(&text, ": %s\n", Printable(damage.cause));
  }
  return text;
}

nlohmann::ordered_json DamagesAsJson(const std::vector<Damage>& damages) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const Damage& damage : damages) {
    json.push_back({{"file", damage.file},
                    {"offset", damage.offset},
                    {"length", damage.length},
                    {"cause", damage.cause}});
  }
  return json;
}

}  // namespace rumcask::cli
