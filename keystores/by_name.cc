#include "keystores/by_name.h"

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

#include "core/plugin/keystore.h"
#include "keystores/keystore_table.h"

namespace rumcask {
namespace {

struct Entry {
  const char* name;
  KeystoreFactory (*make)();
};

#define KEYSTORE(name, make) {name, [] { return make(); }},
constexpr Entry kKeystores[] = {KEYSTORES(KEYSTORE)};
#undef KEYSTORE

}  // namespace

std::vector<std::string> KeystoreNames() {
  std::vector<std::string> names;
  for (const Entry& entry : kKeystores) names.emplace_back(entry.name);
  return names;
}

absl::StatusOr<KeystoreFactory> KeystoreByName(std::string_view name) {
  for (const Entry& entry : kKeystores) {
    if (name == entry.name) return entry.make();
  }
  return absl::InvalidArgumentError(absl::StrFormat("unknown keystore '%s'; there are: %s", name,
                                                    absl::StrJoin(KeystoreNames(), ", ")));
}

}  // namespace rumcask
