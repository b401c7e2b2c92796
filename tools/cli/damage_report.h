// Formats damages as text, for verify and repair.

#ifndef RUMCASK_TOOLS_CLI_DAMAGE_REPORT_H_
#define RUMCASK_TOOLS_CLI_DAMAGE_REPORT_H_

#include <string>
#include <vector>

#include "nlohmann/json.hpp"

#include "core/check/verify.h"
#include "core/damage.h"

namespace rumcask::cli {

// One line for each damage: where, how much, why.
std::string DamageLines(const std::vector<Damage>& damages);

nlohmann::ordered_json DamagesAsJson(const std::vector<Damage>& damages);

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_DAMAGE_REPORT_H_
