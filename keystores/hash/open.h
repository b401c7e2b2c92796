// Opens rumcask with its default keystore. Public: `//:rumcask` is this and core.

#ifndef RUMCASK_KEYSTORES_HASH_OPEN_H_
#define RUMCASK_KEYSTORES_HASH_OPEN_H_

#include "rumcask/require_cxx17.h"

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "rumcask/db.h"
#include "rumcask/options.h"

namespace rumcask {

// DB::Open, with HashKeystore() if options.keystore is not set.
absl::StatusOr<std::unique_ptr<DB>> Open(std::string_view path, const Options& options = {});

// DB::OpenReadOnly, with HashKeystore() if options.keystore is not set.
absl::StatusOr<std::unique_ptr<DB>> OpenReadOnly(std::string_view path,
                                                 const Options& options = {});

}  // namespace rumcask

#endif  // RUMCASK_KEYSTORES_HASH_OPEN_H_
