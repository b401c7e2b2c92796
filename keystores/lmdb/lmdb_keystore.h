// An ordered keystore on disk, for more keys than fit into memory. Public.
//
//   options.keystore = rumcask::LmdbKeystore();
//
// LMDB is a B+ tree in one file that is mapped into memory: a read is a walk in the system's page
// cache, and what is hot stays there. core buffers writes in memory and brings them to the tree in
// the background, in the order of the keys, so that a Put never waits for the tree. Opening reads
// only the log's end that the tree does not hold yet.
//
//  - Keys have at most 511 bytes.
//  - The file reserves 256 GiB of the process's addresses, or as much of that as it can get; that
//    is neither memory nor space on disk.
//  - Deleted keys leave free pages in the file, which later keys fill. An opening for writing that
//    finds most of a large file free rewrites it, which takes as long as copying what remains.
//  - LMDB has no checksums. Files cut short, or of other programs, are noticed and rebuilt from the
//    log; a page that the disk has changed is not, but `Verify` compares the index with the log.
//    LMDB may end the process over such a page. If opening does so twice, the third opening builds
//    the index anew; for what comes later, remove DATABASE/index.
//  - The files must not be on a network's file system.

#ifndef RUMCASK_KEYSTORES_LMDB_LMDB_KEYSTORE_H_
#define RUMCASK_KEYSTORES_LMDB_LMDB_KEYSTORE_H_

#include "rumcask/require_cxx17.h"

#include "rumcask/keystore_factory.h"

namespace rumcask {

KeystoreFactory LmdbKeystore();

}  // namespace rumcask

#endif  // RUMCASK_KEYSTORES_LMDB_LMDB_KEYSTORE_H_
