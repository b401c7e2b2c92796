// A program with all keystores: opens a database with each of them by its name, and finds in a
// second opening what was put in the first.

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "rumcask/by_name.h"
#include "rumcask/db.h"

namespace {

absl::Status PutReopenGet(const std::string& name, const std::string& path) {
  auto keystore = rumcask::KeystoreByName(name);
  if (!keystore.ok()) return keystore.status();
  rumcask::Options options;
  options.keystore = *keystore;
  options.create_if_missing = true;
  auto db = rumcask::DB::Open(path, options);
  if (!db.ok()) return db.status();
  absl::Status status = (*db)->Put("keystore", name);
  if (status.ok()) status = (*db)->Close();
  if (!status.ok()) return status;

  options.create_if_missing = false;
  db = rumcask::DB::Open(path, options);
  if (!db.ok()) return db.status();
  std::string value;
  status = (*db)->Get("keystore", &value);
  if (status.ok() && value != name) status = absl::InternalError("got " + value);
  if (status.ok()) status = (*db)->Close();
  return status;
}

}  // namespace

int main() {
  // Those that README names.
  const std::vector<std::string> names = {"hash", "flat", "btree", "lmdb", "rocksdb"};
  if (rumcask::KeystoreNames() != names) return 1;
  for (const std::string& name : names) {
    const std::string path = std::string(std::getenv("TEST_TMPDIR")) + "/" + name;
    const absl::Status status = PutReopenGet(name, path);
    std::cout << name << ": " << status << "\n";
    if (!status.ok()) return 1;
  }
  return 0;
}
