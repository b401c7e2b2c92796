// Work in a process of its own, whose result is JSON.

#ifndef RUMCASK_TOOLS_ADVISE_CHILD_H_
#define RUMCASK_TOOLS_ADVISE_CHILD_H_

#include <functional>
#include <string_view>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace rumcask::advise {

// Returns what `work` returned there; an error begins with `name`. The process ends without
// destroying what `work` left. Cancelled, and the process is killed, once `stop` is true; `stop`
// may be null. This process must have one thread.
absl::StatusOr<nlohmann::ordered_json> RunInChild(
    std::string_view name, const std::function<bool()>& stop,
    const std::function<absl::StatusOr<nlohmann::ordered_json>()>& work);

}  // namespace rumcask::advise

#endif  // RUMCASK_TOOLS_ADVISE_CHILD_H_
