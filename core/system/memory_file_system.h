// A file system in memory, for tests of programs that embed rumcask. Public.

#ifndef RUMCASK_CORE_SYSTEM_MEMORY_FILE_SYSTEM_H_
#define RUMCASK_CORE_SYSTEM_MEMORY_FILE_SYSTEM_H_

#include "rumcask/require_cxx17.h"

#include <memory>

#include "rumcask/file_system.h"

namespace rumcask {

// Makes an empty file system for Options::file_system, so that a database leaves no trace on disk:
//
//   const std::unique_ptr<rumcask::FileSystem> memory = rumcask::NewMemoryFileSystem();
//   options.file_system = memory.get();
//   options.create_if_missing = true;
//   auto db = rumcask::Open("/any/path", options);
//
// Paths mean nothing but themselves, and parents of directories need not exist. What is in it stays
// as long as the object, and can be opened again meanwhile; it must outlive its databases. Opening
// such a database with a keystore on disk is InvalidArgument, because the libraries behind those
// open files of the operating system.
//
// Nothing in it survives the process, and so a sync has nothing to do. A file takes memory for what
// was written, in pages, and 4 GiB of addresses, which a process under `ulimit -v` may not have; a
// write beyond these is ResourceExhausted. Thread-safe.
std::unique_ptr<FileSystem> NewMemoryFileSystem();

}  // namespace rumcask

#endif  // RUMCASK_CORE_SYSTEM_MEMORY_FILE_SYSTEM_H_
