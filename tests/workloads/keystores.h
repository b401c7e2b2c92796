// The keystores of this project, of a kind: a new one is in these lists without a word.

#ifndef RUMCASK_TESTS_WORKLOADS_KEYSTORES_H_
#define RUMCASK_TESTS_WORKLOADS_KEYSTORES_H_

#include <string>
#include <utility>
#include <vector>

#include "core/plugin/keystore_factory.h"
#include "keystores/by_name.h"

namespace rumcask {

inline std::vector<KeystoreFactory> KeystoresOf(bool persistent) {
  std::vector<KeystoreFactory> keystores;
  for (const std::string& name : KeystoreNames()) {
    KeystoreFactory keystore = KeystoreByName(name).value();
    if (keystore.traits.persistent == persistent) keystores.push_back(std::move(keystore));
  }
  return keystores;
}
// Any of them can open any database whose keystore is in memory.
inline std::vector<KeystoreFactory> KeystoresInMemory() { return KeystoresOf(false); }
inline std::vector<KeystoreFactory> KeystoresOnDisk() { return KeystoresOf(true); }

inline std::vector<std::string> NamesInMemory() {
  std::vector<std::string> names;
  for (const KeystoreFactory& keystore : KeystoresInMemory()) {
    names.emplace_back(keystore.traits.name);
  }
  return names;
}

}  // namespace rumcask

#endif  // RUMCASK_TESTS_WORKLOADS_KEYSTORES_H_
