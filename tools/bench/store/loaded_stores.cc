#include "tools/bench/store/loaded_stores.h"

#include <filesystem>
#include <utility>

#include "rumcask/open.h"

#include "core/format/format.h"
#include "tools/bench/store/fatal.h"
#include "tools/bench/store/stopwatch.h"

namespace rumcask::bench {

std::unique_ptr<DB> OpenDatabase(const std::string& path) {
  Options options;
  options.create_if_missing = true;
  return OrDie(Open(path, options));
}

void RemoveDatabase(const std::string& path) {
  namespace fs = std::filesystem;
  if (!fs::exists(path)) return;
  // Removes nothing but a database, so that a mistyped directory does no harm.
  if (!fs::exists(path + "/MANIFEST")) Die(path + " is no database; not removed");
  fs::remove_all(path);
}

LoadedStores::LoadedStores(std::string directory, uint64_t keys)
    : directory_(std::move(directory)), keys_(keys), values_(kValueBytes) {}

LoadedStores::~LoadedStores() {
  store_.reset();
  RemoveDatabase(path());
}

DB* LoadedStores::store() {
  if (store_ == nullptr) PutAll(EmptyStore());
  return store_.get();
}

BareTable* LoadedStores::table() {
  const uint64_t round_bytes = round_operations() * RecordBytes(Key::kBytes, kValueBytes);
  if (table_ == nullptr || table_->keys() < keys_ || table_->room() < round_bytes) {
    PutAll(EmptyTable());
  }
  return table_.get();
}

DB* LoadedStores::EmptyStore() {
  store_.reset();
  RemoveDatabase(path());
  store_ = OpenDatabase(path());
  return store_.get();
}

BareTable* LoadedStores::EmptyTable() {
  if (table_ == nullptr) {
    // Has room for three rounds of puts in addition to the loaded keys.
    table_ = std::make_unique<BareTable>((keys_ + 3 * round_operations()) *
                                         RecordBytes(Key::kBytes, kValueBytes));
  }
  table_->Clear();
  return table_.get();
}

double LoadedStores::ReopenStore() {
  (void)store();
  store_.reset();
  const Stopwatch watch;
  store_ = OpenDatabase(path());
  return watch.Seconds();
}

void LoadedStores::PutAll(DB* store) const {
  for (uint64_t i = 0; i < keys_; ++i) {
    const absl::Status status = store->Put(Key(i).view(), values_.Of(i));
    if (!status.ok()) OrDie(status);
  }
}

void LoadedStores::PutAll(BareTable* table) const {
  for (uint64_t i = 0; i < keys_; ++i) table->Put(Key(i).view(), values_.Of(i));
}

}  // namespace rumcask::bench
