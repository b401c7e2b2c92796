// An ordered keystore on disk, for more keys than fit into memory. Public.
//
//   options.keystore = rumcask::LmdbKeystore();
//
// LMDB is a B+ tree in one file that is mapped into memory: a read walks the tree in the system's
// page cache, where hot pages stay. core buffers writes in memory and brings them to the tree in
// the background, in key order, so that a Put waits for the tree only when two full buffers are
// waiting already. Opening reads only the end of the log that the tree does not hold yet.
//
//  - Keys have at most 511 bytes.
//  - The file reserves 256 GiB of the process's addresses, or as much of that as is available. That
//    is neither memory nor disk space.
//  - Deleted keys leave free pages in the file, which later keys use. When three quarters of the
//    file are free and at most 64 MiB are not, the file is rewritten beside reads, after which it
//    takes what remains. Nothing is brought to the tree meanwhile. An opening for writing does the
//    same when more than half of a large file is free, which takes as long as copying what remains.
//  - LMDB has no checksums. Files that were truncated or belong to other programs are noticed, and
//    the index is rebuilt from the log. A page that the disk has changed is not noticed, but
//    `Verify` compares the index with the log. LMDB may end the process because of such a page. If
//    that happens in two openings, the third opening builds the index anew; if it happens later,
//    remove DATABASE/index.
//  - The files must not be on a network file system.

#ifndef RUMCASK_KEYSTORES_LMDB_LMDB_KEYSTORE_H_
#define RUMCASK_KEYSTORES_LMDB_LMDB_KEYSTORE_H_

#include "rumcask/require_cxx17.h"

#include "rumcask/keystore_factory.h"

namespace rumcask {

// Makes this keystore; for Options::keystore.
KeystoreFactory LmdbKeystore();

}  // namespace rumcask

#endif  // RUMCASK_KEYSTORES_LMDB_LMDB_KEYSTORE_H_
