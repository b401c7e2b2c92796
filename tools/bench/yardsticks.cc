#include "tools/bench/yardsticks.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "xxhash.h"

namespace rumcask::bench {
namespace {

#ifdef NDEBUG
constexpr char kAssertions[] = "off";
#else
constexpr char kAssertions[] = "on";
#endif

constexpr uint64_t kChunkBytes = uint64_t{64} << 20;

// A mapped file whose blocks and pages are made before they are needed.
class Chunk {
 public:
  static absl::StatusOr<std::unique_ptr<Chunk>> Create(const std::string& path, uint64_t bytes) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return Error("open", path);
    // Zeros are written instead of using fallocate, because faults on unwritten blocks cost several
    // times as much.
    const std::string zeros(uint64_t{1} << 20, '\0');
    for (uint64_t offset = 0; offset < bytes; offset += zeros.size()) {
      const uint64_t length = std::min<uint64_t>(zeros.size(), bytes - offset);
      if (::pwrite(fd, zeros.data(), length, static_cast<off_t>(offset)) !=
          static_cast<ssize_t>(length)) {
        const absl::Status status = Error("write", path);
        ::close(fd);
        return status;
      }
    }
    void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (data == MAP_FAILED) {
      const absl::Status status = Error("map", path);
      ::close(fd);
      return status;
    }
    return std::unique_ptr<Chunk>(new Chunk(fd, static_cast<char*>(data), bytes));
  }

  ~Chunk() {
    ::munmap(data_, bytes_);
    ::close(fd_);
  }
  Chunk(const Chunk&) = delete;
  Chunk& operator=(const Chunk&) = delete;

  char* data() const { return data_; }
  uint64_t bytes() const { return bytes_; }
  absl::Status Sync() const {
    return ::fdatasync(fd_) == 0 ? absl::OkStatus() : Error("fdatasync", "the log");
  }

 private:
  Chunk(int fd, char* data, uint64_t bytes) : fd_(fd), data_(data), bytes_(bytes) {}

  static absl::Status Error(std::string_view operation, std::string_view path) {
    return absl::InternalError(absl::StrFormat("%s %s: %s", operation, path, std::strerror(errno)));
  }

  const int fd_;
  char* const data_;
  const uint64_t bytes_;
};

struct RecordHeader {
  uint64_t checksum;
  uint32_t key_bytes;
  uint32_t value_bytes;
};

class Yardstick : public Engine {
 public:
  explicit Yardstick(const EngineSettings& settings) : path_(settings.path) {
    map_.reserve(settings.expected_keys);
  }
  ~Yardstick() override {
    if (next_.valid()) next_.wait();
  }

  absl::Status Start() { return Roll(kChunkBytes); }

  absl::Status Get(std::string_view key, std::string* value) override {
    const auto found = map_.find(Digest(key));
    if (found == map_.end()) return absl::NotFoundError("");
    return Read(found->second, key, value);
  }

  absl::Status MultiGet(absl::Span<const std::string_view> keys, std::vector<std::string>* values,
                        uint64_t* found) override {
    values->resize(keys.size());
    for (size_t i = 0; i < keys.size(); ++i) {
      const absl::Status status = Get(keys[i], &(*values)[i]);
      if (status.ok()) {
        ++*found;
      } else if (!absl::IsNotFound(status)) {
        return status;
      }
    }
    return absl::OkStatus();
  }

  absl::Status Put(std::string_view key, std::string_view value, bool sync) override {
    const absl::Status status = Append(key, value);
    if (!status.ok()) return status;
    map_[Digest(key)] = newest_;
    return sync ? Sync() : absl::OkStatus();
  }

  absl::Status Delete(std::string_view key, bool sync) override {
    const absl::Status status = Append(key, "");
    if (!status.ok()) return status;
    map_.erase(Digest(key));
    return sync ? Sync() : absl::OkStatus();
  }

  absl::Status Write(absl::Span<const std::pair<std::string_view, std::string_view>> entries,
                     bool sync) override {
    for (const auto& [key, value] : entries) {
      absl::Status status = Put(key, value, false);
      if (!status.ok()) return status;
    }
    return sync ? Sync() : absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<EngineCursor>> NewCursor() override {
    return absl::UnimplementedError("it does not walk");
  }

  absl::Status Sync() override { return chunks_.back()->Sync(); }
  absl::Status Compact() override { return absl::UnimplementedError("it does not compact"); }
  absl::Status Close() override { return absl::OkStatus(); }

 private:
  static uint64_t Digest(std::string_view key) { return XXH3_64bits(key.data(), key.size()); }
  static uint64_t Checksum(std::string_view key, std::string_view value) {
    return XXH3_64bits_withSeed(value.data(), value.size(), Digest(key));
  }

  // Leaves the location of the record in newest_.
  absl::Status Append(std::string_view key, std::string_view value) {
    const uint64_t bytes = (sizeof(RecordHeader) + key.size() + value.size() + 7) / 8 * 8;
    if (used_ + bytes > chunks_.back()->bytes()) {
      const absl::Status status = Roll(bytes);
      if (!status.ok()) return status;
    }
    char* const record = chunks_.back()->data() + used_;
    RecordHeader header;
    header.checksum = Checksum(key, value);
    header.key_bytes = static_cast<uint32_t>(key.size());
    header.value_bytes = static_cast<uint32_t>(value.size());
    std::memcpy(record, &header, sizeof header);
    std::memcpy(record + sizeof header, key.data(), key.size());
    std::memcpy(record + sizeof header + key.size(), value.data(), value.size());
    newest_ = (chunks_.size() - 1) << 40 | used_;
    used_ += bytes;
    return absl::OkStatus();
  }

  absl::Status Read(uint64_t location, std::string_view key, std::string* value) const {
    const char* const record =
        chunks_[location >> 40]->data() + (location & ((uint64_t{1} << 40) - 1));
    RecordHeader header;
    std::memcpy(&header, record, sizeof header);
    const std::string_view stored(record + sizeof header, header.key_bytes);
    const std::string_view bytes(stored.data() + stored.size(), header.value_bytes);
    if (stored != key || Checksum(stored, bytes) != header.checksum) {
      return absl::DataLossError("the yardstick's log is damaged");
    }
    value->assign(bytes);
    return absl::OkStatus();
  }

  // Continues in the next chunk, which has been made meanwhile, and starts making the one after it.
  absl::Status Roll(uint64_t record_bytes) {
    absl::StatusOr<std::unique_ptr<Chunk>> chunk =
        next_.valid() && record_bytes <= kChunkBytes
            ? next_.get()
            : Chunk::Create(NextPath(), std::max(record_bytes, kChunkBytes));
    if (!chunk.ok()) return chunk.status();
    chunks_.push_back(*std::move(chunk));
    used_ = 0;
    if (!next_.valid()) {
      next_ = std::async(std::launch::async, &Chunk::Create, NextPath(), kChunkBytes);
    }
    return absl::OkStatus();
  }

  std::string NextPath() { return absl::StrFormat("%s/%06d.log", path_, files_++); }

  const std::string path_;
  int files_ = 0;
  absl::flat_hash_map<uint64_t, uint64_t> map_;
  std::vector<std::unique_ptr<Chunk>> chunks_;
  uint64_t used_ = 0;
  uint64_t newest_ = 0;
  std::future<absl::StatusOr<std::unique_ptr<Chunk>>> next_;
};

class Nothing : public Engine {
 public:
  absl::Status Get(std::string_view, std::string*) override { return absl::OkStatus(); }
  absl::Status MultiGet(absl::Span<const std::string_view> keys, std::vector<std::string>* values,
                        uint64_t* found) override {
    values->resize(keys.size());
    *found += keys.size();
    return absl::OkStatus();
  }
  absl::Status Put(std::string_view, std::string_view, bool) override { return absl::OkStatus(); }
  absl::Status Delete(std::string_view, bool) override { return absl::OkStatus(); }
  absl::Status Write(absl::Span<const std::pair<std::string_view, std::string_view>>,
                     bool) override {
    return absl::OkStatus();
  }
  absl::StatusOr<std::unique_ptr<EngineCursor>> NewCursor() override {
    return absl::UnimplementedError("there is nothing to walk");
  }
  absl::Status Sync() override { return absl::OkStatus(); }
  absl::Status Compact() override { return absl::OkStatus(); }
  absl::Status Close() override { return absl::OkStatus(); }
};

}  // namespace

EngineType YardstickEngine() {
  EngineType type;
  type.name = "yardstick";
  type.library = "absl::flat_hash_map over a mapped log";
  type.assertions = kAssertions;
  type.options = [](const EngineSettings& settings) {
    return absl::StrFormat("table for %d keys reserved, XXH3 digest and checksum",
                           settings.expected_keys);
  };
  type.durability = "in the page cache when put returns, but nothing recovers it";
  type.persistent = false;
  type.concurrent_writes = false;
  type.open = [](const EngineSettings& settings) -> absl::StatusOr<std::unique_ptr<Engine>> {
    auto engine = std::make_unique<Yardstick>(settings);
    absl::Status status = engine->Start();
    if (!status.ok()) return status;
    return engine;
  };
  return type;
}

EngineType NothingEngine() {
  EngineType type;
  type.name = "nothing";
  type.library = "no store: what making keys, values and measurements costs";
  type.assertions = kAssertions;
  type.options = [](const EngineSettings&) { return std::string("none"); };
  type.durability = "none";
  type.persistent = false;
  type.ordered = true;
  type.open = [](const EngineSettings&) -> absl::StatusOr<std::unique_ptr<Engine>> {
    return std::make_unique<Nothing>();
  };
  return type;
}

}  // namespace rumcask::bench
