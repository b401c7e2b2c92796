// The yardstick of durable and of large puts: writes the necessary bytes and does nothing else.

#ifndef RUMCASK_TOOLS_BENCH_STORE_RAW_LOG_H_
#define RUMCASK_TOOLS_BENCH_STORE_RAW_LOG_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace rumcask::bench {

// A new file of records in the store's own layout; removed at the end.
class RawLog {
 public:
  enum class Append {
    // memcpy into a shared mapping of blocks that were filled with zeros before, like the store's
    // active segment.
    kMapped,
    // One pwritev per record at the end of the file.
    kWrite,
  };

  RawLog(const std::string& path, Append append);
  ~RawLog();
  RawLog(const RawLog&) = delete;
  RawLog& operator=(const RawLog&) = delete;

  // Computes the checksum and appends the record.
  void Put(std::string_view key, std::string_view value);
  // Calls fdatasync.
  void Sync();

 private:
  void PutMapped(const char* header, std::string_view key, std::string_view value, size_t bytes);
  void PutWrite(const char* header, std::string_view key, std::string_view value, size_t bytes);

  const std::string path_;
  const Append append_;
  int fd_ = -1;
  char* mapping_ = nullptr;
  uint64_t allocated_ = 0;
  uint64_t end_ = 0;
  uint64_t sequence_ = 0;
};

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_STORE_RAW_LOG_H_
