#include "tools/bench/store/raw_log.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>

#include "core/format/format.h"
#include "tools/bench/store/fatal.h"

namespace rumcask::bench {
namespace {

constexpr uint64_t kMappedBytes = uint64_t{64} << 20;
constexpr uint64_t kExtentBytes = uint64_t{1} << 20;
constexpr uint64_t kSeed = 77;

}  // namespace

RawLog::RawLog(const std::string& path, Append append) : path_(path), append_(append) {
  fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  DieIf(fd_ < 0, path.c_str());
  if (append_ == Append::kWrite) return;
  void* const mapping = mmap(nullptr, kMappedBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  DieIf(mapping == MAP_FAILED, "mmap");
  mapping_ = static_cast<char*>(mapping);
}

RawLog::~RawLog() {
  if (mapping_ != nullptr) munmap(mapping_, kMappedBytes);
  close(fd_);
  unlink(path_.c_str());
}

void RawLog::Put(std::string_view key, std::string_view value) {
  RecordHeader header;
  header.sequence = ++sequence_;
  header.key_bytes = static_cast<uint16_t>(key.size());
  header.value_bytes = static_cast<uint32_t>(value.size());
  char bytes[kRecordHeaderBytes];
  EncodeRecordHeader(bytes, header, kSeed + end_, InnerChecksum(key, value));
  const size_t size = header.record_bytes();
  if (append_ == Append::kMapped) {
    PutMapped(bytes, key, value, size);
  } else {
    PutWrite(bytes, key, value, size);
  }
  end_ += size;
}

void RawLog::PutMapped(const char* header, std::string_view key, std::string_view value,
                       size_t bytes) {
  if (end_ + bytes > allocated_) {
    static const std::string* const zeros = new std::string(kExtentBytes, '\0');
    if (allocated_ + kExtentBytes > kMappedBytes) Die("the mapped log is full");
    DieIf(pwrite(fd_, zeros->data(), zeros->size(), static_cast<off_t>(allocated_)) !=
              static_cast<ssize_t>(zeros->size()),
          "pwrite");
    (void)madvise(mapping_ + allocated_, kExtentBytes, MADV_POPULATE_WRITE);
    allocated_ += kExtentBytes;
  }
  char* const to = mapping_ + end_;
  std::memcpy(to, header, kRecordHeaderBytes);
  std::memcpy(to + kRecordHeaderBytes, key.data(), key.size());
  std::memcpy(to + kRecordHeaderBytes + key.size(), value.data(), value.size());
}

void RawLog::PutWrite(const char* header, std::string_view key, std::string_view value,
                      size_t bytes) {
  static const char zeros[8] = {};
  const size_t used = kRecordHeaderBytes + key.size() + value.size();
  const iovec pieces[] = {{const_cast<char*>(header), kRecordHeaderBytes},
                          {const_cast<char*>(key.data()), key.size()},
                          {const_cast<char*>(value.data()), value.size()},
                          {const_cast<char*>(zeros), bytes - used}};
  DieIf(pwritev(fd_, pieces, 4, static_cast<off_t>(end_)) != static_cast<ssize_t>(bytes),
        "pwritev");
}

void RawLog::Sync() { DieIf(fdatasync(fd_) != 0, "fdatasync"); }

}  // namespace rumcask::bench
