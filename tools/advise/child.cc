#include "tools/advise/child.h"

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

#include "core/system/text.h"
#include "tools/bench/child_process.h"
#include "tools/cli/json_text.h"

namespace rumcask::advise {

absl::StatusOr<nlohmann::ordered_json> RunInChild(
    std::string_view name, const std::function<bool()>& stop,
    const std::function<absl::StatusOr<nlohmann::ordered_json>()>& work) {
  const absl::StatusOr<std::string> text = bench::RunInChild(
      [&work] {
        const absl::StatusOr<nlohmann::ordered_json> result = work();
        nlohmann::ordered_json told;
        if (result.ok()) {
          told["result"] = *result;
        } else {
          told["code"] = static_cast<int>(result.status().code());
          told["message"] = std::string(result.status().message());
        }
        return cli::JsonText(told, /*indent=*/-1);
      },
      stop);
  if (absl::IsCancelled(text.status())) return text.status();
  if (!text.ok()) {
    return absl::InternalError(absl::StrCat(Text(name), ": ", text.status().message()));
  }
  const nlohmann::ordered_json told = nlohmann::ordered_json::parse(*text);
  if (told.contains("result")) return told.at("result");
  return absl::Status(static_cast<absl::StatusCode>(told.at("code").get<int>()),
                      absl::StrCat(Text(name), ": ", told.at("message").get<std::string>()));
}

}  // namespace rumcask::advise
