#include "keystores/hash/open.h"

#include "keystores/hash/hash_keystore.h"

namespace rumcask {
namespace {

Options WithKeystore(Options options) {
  if (!options.keystore) options.keystore = HashKeystore();
  return options;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DB>> Open(std::string_view path, const Options& options) {
  return DB::Open(path, WithKeystore(options));
}

absl::StatusOr<std::unique_ptr<DB>> OpenReadOnly(std::string_view path, const Options& options) {
  return DB::OpenReadOnly(path, WithKeystore(options));
}

}  // namespace rumcask
