// Opens a RocksDB of any release. Older releases return a plain pointer, newer ones a unique_ptr,
// and some releases in between have both.

#ifndef RUMCASK_KEYSTORES_ROCKSDB_OPEN_ROCKSDB_H_
#define RUMCASK_KEYSTORES_ROCKSDB_OPEN_ROCKSDB_H_

#include <memory>
#include <string>
#include <utility>

namespace rumcask {

// Calls `open` with a pointer to std::unique_ptr<Db> if it accepts that, otherwise with a pointer
// to Db*, and returns its result.
template <class Db, class Open>
auto IntoOwner(const Open& open, std::unique_ptr<Db>* db, int /*preferred*/)
    -> decltype(open(std::declval<std::unique_ptr<Db>*>())) {
  return open(db);
}

template <class Db, class Open>
auto IntoOwner(const Open& open, std::unique_ptr<Db>* db, long /*otherwise*/)
    -> decltype(open(std::declval<Db**>())) {
  Db* plain = nullptr;
  auto status = open(&plain);
  db->reset(plain);
  return status;
}

// Db::Open, Db being rocksdb::DB. If it fails, *db is null.
template <class Db, class Options>
auto OpenRocksdb(const Options& options, const std::string& path, std::unique_ptr<Db>* db) {
  const auto open = [&](auto* into) -> decltype(Db::Open(options, path, into)) {
    return Db::Open(options, path, into);
  };
  return IntoOwner<Db>(open, db, 0);
}

// Db::OpenForReadOnly.
template <class Db, class Options>
auto OpenRocksdbForReadOnly(const Options& options, const std::string& path,
                            std::unique_ptr<Db>* db) {
  const auto open = [&](auto* into) -> decltype(Db::OpenForReadOnly(options, path, into)) {
    return Db::OpenForReadOnly(options, path, into);
  };
  return IntoOwner<Db>(open, db, 0);
}

}  // namespace rumcask

#endif  // RUMCASK_KEYSTORES_ROCKSDB_OPEN_ROCKSDB_H_
