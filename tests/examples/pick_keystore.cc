// Lets a user pick the keystore, and opens a database with the one that it was made with or
// reindexed to.
//
//   pick_keystore DATABASE [hash|btree|lmdb]
//
// Prints the keystore and how many keys there are. Each run adds one.

#include <cstdint>
#include <iostream>
#include <memory>
#include <string>

#include "rumcask/btree_keystore.h"
#include "rumcask/db.h"
#include "rumcask/hash_keystore.h"
#include "rumcask/lmdb_keystore.h"

namespace {

// A program links only the keystores that it names; keystores/by_name.h names all of them. The rest
// of a program does not depend on which it is.
absl::StatusOr<rumcask::KeystoreFactory> Keystore(const std::string& name) {
  if (name == "hash") return rumcask::HashKeystore();
  if (name == "btree") return rumcask::BtreeKeystore();
  if (name == "lmdb") return rumcask::LmdbKeystore();
  return absl::InvalidArgumentError(name + " is none of hash, btree, lmdb");
}

absl::Status Run(const std::string& path, std::string name) {
  if (name.empty()) {
    auto stored = rumcask::DB::StoredKeystore(path);
    if (!stored.ok() && !absl::IsNotFound(stored.status())) return stored.status();
    name = stored.ok() && !stored->empty() ? *stored : "hash";
  }
  auto keystore = Keystore(name);
  if (!keystore.ok()) return keystore.status();
  rumcask::Options options;
  options.create_if_missing = true;
  options.keystore = *keystore;
  auto opened = rumcask::DB::Open(path, options);
  if (!opened.ok()) return opened.status();

  // In any order, as not all of them have one.
  uint64_t count = 0;
  rumcask::IteratorOptions all;
  all.keys_only = true;
  auto it = (*opened)->NewIterator(all);
  if (!it.ok()) return it.status();
  for (; (*it)->Valid(); (*it)->Next()) ++count;
  absl::Status status = (*it)->status();
  it->reset();
  if (status.ok()) status = (*opened)->Put("key " + std::to_string(count), "value");
  if (status.ok()) status = (*opened)->Close();
  if (status.ok()) std::cout << name << " " << count + 1 << "\n";
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::cerr << "usage: pick_keystore DATABASE [hash|btree|lmdb]\n";
    return 64;
  }
  const absl::Status status = Run(argv[1], argc == 3 ? argv[2] : "");
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() ? 0 : 1;
}
