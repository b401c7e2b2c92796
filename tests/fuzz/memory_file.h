// A file with given bytes, for code that reads files. It cannot be written or mapped.

#ifndef RUMCASK_TESTS_FUZZ_MEMORY_FILE_H_
#define RUMCASK_TESTS_FUZZ_MEMORY_FILE_H_

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

#include "core/system/file_system.h"

namespace rumcask {

class MemoryFile : public File {
 public:
  // `bytes` must outlive the file.
  explicit MemoryFile(std::string_view bytes) : File("memory"), bytes_(bytes) {}

 protected:
  int64_t DoPread(uint64_t offset, void* buffer, size_t size) const override {
    if (offset >= bytes_.size()) return 0;
    size = std::min(size, bytes_.size() - offset);
    std::memcpy(buffer, bytes_.data() + offset, size);
    return static_cast<int64_t>(size);
  }
  int64_t DoPwritev(uint64_t, const iovec*, int) override { return -EROFS; }
  int DoTruncate(uint64_t) override { return -EROFS; }
  int DoSync() override { return 0; }
  int64_t DoSize() const override { return static_cast<int64_t>(bytes_.size()); }
  int DoMap(size_t, bool, std::unique_ptr<MappedRegion>*) override { return -ENODEV; }
  int DoLock(LockKind) override { return 0; }

 private:
  const std::string_view bytes_;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_FUZZ_MEMORY_FILE_H_
