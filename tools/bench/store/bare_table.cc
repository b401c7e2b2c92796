#include "tools/bench/store/bare_table.h"

#include <sys/mman.h>
#include <unistd.h>

#include "rumcask/hash_keystore.h"

#include "tools/bench/store/fatal.h"

namespace rumcask::bench {

BareTable::BareTable(uint64_t log_bytes) : log_bytes_(log_bytes) {
  digests_ = OrDie(HashKeystore().create(KeystoreConfig()));
  const int fd = memfd_create("bare_table", MFD_CLOEXEC);
  DieIf(fd < 0 || ftruncate(fd, static_cast<off_t>(log_bytes)) != 0, "memfd_create");
  void* const log =
      mmap(nullptr, log_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  DieIf(log == MAP_FAILED, "mmap");
  close(fd);
  log_ = static_cast<char*>(log);
}

BareTable::~BareTable() { munmap(log_, log_bytes_); }

void BareTable::Clear() {
  // The memory of the old table is freed, too, because growing is part of putting.
  table_ = {};
  end_ = 0;
}

}  // namespace rumcask::bench
