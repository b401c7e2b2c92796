// An ordered keystore on disk, for more keys than fit into memory and many writes. Public.
//
//   options.keystore = rumcask::RocksdbKeystore();
//
// RocksDB is a log-structured merge tree: new entries are written in order and merged later. So
// random inserts into an index far larger than memory cost a few sequential writes, where `lmdb`
// writes a page for each. Reads cost more than with `lmdb`: a lookup may have to go to several
// files, but a Bloom filter spares it nearly all files that do not have the key. Keys have up to
// 65,535 bytes.
//
// core buffers writes in memory and brings them to the index in the background. RocksDB's own log
// is off, because core's log already has every record; what RocksDB had not yet written is brought
// in again from there.
//
// While the disk is full, or the process has no more descriptors or memory, core repeats its calls
// until RocksDB works again. These errors are hidden from RocksDB itself, because it does not
// recover from them reliably. RocksDB writes no diary (LOG): it asserts that each write of that
// succeeded, and Debian builds RocksDB with assertions enabled.
//
// If a program that has opened such a database forks, the child must end by exec or _exit. With
// exit, RocksDB's static objects would wait for ever for threads that only the parent has.
//
// KeyCount of the index is an estimate. Blocks are not compressed: an entry holds, beside the key,
// a location, which does not compress, and neighbouring keys share their prefixes already.

#ifndef RUMCASK_KEYSTORES_ROCKSDB_ROCKSDB_KEYSTORE_H_
#define RUMCASK_KEYSTORES_ROCKSDB_ROCKSDB_KEYSTORE_H_

#include "rumcask/require_cxx17.h"

#include <cstdint>

#include "rumcask/keystore_factory.h"

namespace rumcask {

// None of these options changes what can be opened.
struct RocksdbOptions {
  // Memory for blocks of files. The system's page cache holds them as well; a hit here saves the
  // system call and the checksum.
  uint64_t block_cache_bytes = uint64_t{64} << 20;
  // Entries that are gathered in memory before they become a file. Memory holds up to twice this,
  // and up to six times this if it is less than what core brings at once. By default it is as much
  // as core brings at once.
  uint64_t write_buffer_bytes = uint64_t{64} << 20;
  // Bits of the Bloom filters, in memory, per key. With 10, a lookup of a key in a file that does
  // not have it reads a block one time in a hundred. 0 means no filters.
  int bloom_bits_per_key = 10;
  // Files of sorted keys that are open at once; beyond that, each lookup may have to open one.
  // RocksDB uses at least 20. Some ten more are open for its manifest, its lock, and files being
  // written and merged. While the process has no descriptors left, the index is not brought up to
  // date, and writers get an error when its buffers are full. Default 0: a quarter of what the
  // process may have (RLIMIT_NOFILE) when the database is opened, but at least 20 and at most 500.
  // At some 64 MiB each, 500 files are enough for 30 GB.
  int max_open_files = 0;
};

// Makes this keystore; for Options::keystore.
KeystoreFactory RocksdbKeystore(const RocksdbOptions& options = RocksdbOptions());

}  // namespace rumcask

#endif  // RUMCASK_KEYSTORES_ROCKSDB_ROCKSDB_KEYSTORE_H_
