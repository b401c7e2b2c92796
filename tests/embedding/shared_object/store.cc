// A shared object that holds the store, as a binding to another language or a plugin of a server
// is.

#include <string>

#include "rumcask/open.h"
#ifdef STORE_WITH_LMDB
#include "rumcask/lmdb_keystore.h"
#endif

// Writes into the database and reads back. 0 if that went well.
extern "C" int StoreRoundTrip(const char* path);

int StoreRoundTrip(const char* path) {
  rumcask::Options options;
  options.create_if_missing = true;
#ifdef STORE_WITH_LMDB
  options.keystore = rumcask::LmdbKeystore();
#endif
  auto db = rumcask::Open(path, options);
  if (!db.ok()) return 1;
  std::string value;
  if (!(*db)->Put("greeting", "hello, world", {/*sync=*/true}).ok()) return 2;
  if (!(*db)->Get("greeting", &value).ok() || value != "hello, world") return 3;
  return (*db)->Close().ok() ? 0 : 4;
}
