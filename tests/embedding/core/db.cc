#include "core/db.h"

#include "rumcask/by_name.h"
#include "rumcask/open.h"
#include "rumcask/repair.h"

namespace embedding {

Status Greet(const std::string& path, const Options& options) {
  for (const std::string& name : rumcask::KeystoreNames()) {
    auto keystore = rumcask::KeystoreByName(name);
    if (!keystore.ok()) return Status::kBroken;
    rumcask::Options of_rumcask;
    of_rumcask.create_if_missing = true;
    of_rumcask.keystore = *keystore;
    auto db = rumcask::Open(path + "." + name, of_rumcask);
    std::string value;
    const bool fine = db.ok() && (*db)->Put("greeting", options.greeting, {/*sync=*/true}).ok() &&
                      (*db)->Get("greeting", &value).ok() && value == options.greeting &&
                      (*db)->Close().ok();
    if (!fine) return Status::kBroken;
  }
  return Status::kFine;
}

}  // namespace embedding
