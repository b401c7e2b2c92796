// An ordered keystore on disk, for more keys than fit into memory and many writes. Public.
//
//   options.keystore = rumcask::RocksdbKeystore();
//
// RocksDB is a log-structured merge tree: what comes in is written in order and merged later, so
// that random inserts into an index far larger than memory cost a few sequential writes, where
// `lmdb` costs a page each. Reads cost more than there: a look into several files, of which a
// Bloom filter spares nearly all that don't have the key. Keys have up to 65,535 bytes.
//
// core buffers writes in memory and brings them to the index in the background. RocksDB's own log
// is off: core's is the truth, from which what RocksDB had not yet written is brought in again.
//
// While the disk is full, or the process has no more descriptors or memory, RocksDB is tried again
// until it works; it hears nothing of that itself, for it does not come back from it reliably. It
// writes no diary (LOG): it asserts that each write of that succeeded, and Debian builds RocksDB
// with its assertions on.
//
// A program that has opened such a database and then forks must see to it that the child ends by
// exec or _exit: by exit, RocksDB's statics wait for ever for threads that only the parent has.
//
// KeyCount of the index is an estimate. Blocks are not compressed: beside a key an entry holds a
// location, which does not compress, and neighbouring keys share their beginnings already.

#ifndef RUMCASK_KEYSTORES_ROCKSDB_ROCKSDB_KEYSTORE_H_
#define RUMCASK_KEYSTORES_ROCKSDB_ROCKSDB_KEYSTORE_H_

#include "rumcask/require_cxx17.h"

#include <cstdint>

#include "rumcask/keystore_factory.h"

namespace rumcask {

// None of these changes what can be opened.
struct RocksdbOptions {
  // Blocks of files kept in memory. The system's page cache holds them as well; a hit here saves
  // the call and the checksum.
  uint64_t block_cache_bytes = uint64_t{64} << 20;
  // What is gathered in memory before it becomes a file; up to twice this is in memory, and up to
  // six times if it is less than core brings at once. That much, by default.
  uint64_t write_buffer_bytes = uint64_t{64} << 20;
  // Memory for the filters; with 10 a look for a key in a file that does not have it reads a block
  // one time in a hundred. 0 for none.
  int bloom_bits_per_key = 10;
  // Files of sorted keys open at once, beyond which each look may have to open one; RocksDB takes
  // no fewer than 20. Some ten more are open for its manifest, its lock, and what is being written
  // and merged: in a process that has no descriptors left, the index is not brought up to date, and
  // writers are told so, until there are again. Default 0: a quarter of what the process may have
  // (RLIMIT_NOFILE) when the database is opened, 20 to 500. At some 64 MiB each 500 are enough for
  // 30 GB.
  int max_open_files = 0;
};

KeystoreFactory RocksdbKeystore(const RocksdbOptions& options = RocksdbOptions());

}  // namespace rumcask

#endif  // RUMCASK_KEYSTORES_ROCKSDB_ROCKSDB_KEYSTORE_H_
