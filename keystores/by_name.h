// Chooses a keystore by its name, for programs that let their users choose.
//
// A program that depends on this links every keystore and its libraries. A program that needs only
// one names it instead, such as HashKeystore() of rumcask/hash_keystore.h.

#ifndef RUMCASK_KEYSTORES_BY_NAME_H_
#define RUMCASK_KEYSTORES_BY_NAME_H_

#include "rumcask/require_cxx17.h"

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "rumcask/keystore_factory.h"

namespace rumcask {

// The names that KeystoreByName knows, the default first.
std::vector<std::string> KeystoreNames();

// The keystore called `name`, with its default options; InvalidArgument listing the known names if
// there is none of that name.
absl::StatusOr<KeystoreFactory> KeystoreByName(std::string_view name);

}  // namespace rumcask

#endif  // RUMCASK_KEYSTORES_BY_NAME_H_
