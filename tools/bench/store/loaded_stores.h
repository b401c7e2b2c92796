// The store and its yardstick, both loaded with the same keys.

#ifndef RUMCASK_TOOLS_BENCH_STORE_LOADED_STORES_H_
#define RUMCASK_TOOLS_BENCH_STORE_LOADED_STORES_H_

#include <cstdint>
#include <memory>
#include <string>

#include "rumcask/db.h"

#include "tools/bench/store/bare_table.h"
#include "tools/bench/store/key_stream.h"

namespace rumcask::bench {

// Opens a database with default options, and creates it if need be.
std::unique_ptr<DB> OpenDatabase(const std::string& path);

// Removes a database that a benchmark made, with everything in it, if it exists.
void RemoveDatabase(const std::string& path);

// Both sides of all comparisons with 16-byte keys and 100-byte values. They are made when they are
// first needed, so that a filtered run takes no longer than necessary.
class LoadedStores {
 public:
  static constexpr size_t kValueBytes = 100;

  LoadedStores(std::string directory, uint64_t keys);
  ~LoadedStores();
  LoadedStores(const LoadedStores&) = delete;
  LoadedStores& operator=(const LoadedStores&) = delete;

  const std::string& directory() const { return directory_; }
  uint64_t keys() const { return keys_; }
  // The number of operations in a round that works on loaded stores.
  uint64_t round_operations() const { return keys_ < 5000000 ? keys_ : keys_ / 5; }
  const Values& values() const { return values_; }

  // The store with keys 0 to keys() - 1.
  DB* store();
  // The yardstick with the same keys and with room for a round of puts.
  BareTable* table();

  // New and empty; the caller has to fill it with all keys.
  DB* EmptyStore();
  BareTable* EmptyTable();

  // Closes the store and opens it again. Returns the duration of the opening in seconds.
  double ReopenStore();

  // Puts all keys in the order of their numbers, which is a random order to a table of digests.
  void PutAll(DB* store) const;
  void PutAll(BareTable* table) const;

 private:
  std::string path() const { return directory_ + "/loaded"; }

  const std::string directory_;
  const uint64_t keys_;
  const Values values_;
  std::unique_ptr<DB> store_;
  std::unique_ptr<BareTable> table_;
};

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_STORE_LOADED_STORES_H_
