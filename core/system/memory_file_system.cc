#include "core/system/memory_file_system.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <string>
#include <utility>

#include "core/system/mutex.h"

namespace rumcask {
namespace {

// More than any file of a database gets. The addresses are set aside at once, so that what is
// mapped stays where it is while the file grows; memory is taken only by what is written.
constexpr uint64_t kAddresses = uint64_t{4} << 30;

// No file of a disk is on such a device.
constexpr uint64_t kNoDevice = UINT64_MAX;

uint64_t NextIdentity() {
  static std::atomic<uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

// The bytes of a file, which handles, mappings and its names share.
class Content {
 public:
  // Null if there are no addresses left.
  static std::shared_ptr<Content> Make() {
    void* const begin =
        ::mmap(nullptr, kAddresses, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return begin == MAP_FAILED ? nullptr : std::make_shared<Content>(static_cast<char*>(begin));
  }
  explicit Content(char* begin) : begin_(begin) {}
  ~Content() { ::munmap(begin_, kAddresses); }
  Content(const Content&) = delete;
  Content& operator=(const Content&) = delete;

  char* begin() const { return begin_; }
  uint64_t size() const { return size_.load(std::memory_order_acquire); }
  bool linked() const { return linked_.load(std::memory_order_relaxed); }
  void SetLinked(bool linked) { linked_.store(linked, std::memory_order_relaxed); }

  // Lets the first bytes be touched; what was never written is zeros. A negated errno on failure.
  int Open(uint64_t bytes) {
    if (bytes <= open_.load(std::memory_order_acquire)) return 0;
    if (bytes > kAddresses) return -EFBIG;
    MutexLock lock(mutex_);
    // In steps, so that a file that grows does not ask for each page.
    constexpr uint64_t kStep = uint64_t{1} << 20;
    const uint64_t end = std::min((bytes + kStep - 1) / kStep * kStep, kAddresses);
    if (end <= open_.load(std::memory_order_relaxed)) return 0;
    if (::mprotect(begin_, end, PROT_READ | PROT_WRITE) < 0) return -errno;
    open_.store(end, std::memory_order_release);
    return 0;
  }
  // To be called after Open.
  void GrowTo(uint64_t size) {
    MutexLock lock(mutex_);
    if (size > this->size()) size_.store(size, std::memory_order_release);
  }
  // What it is extended by later is zeros.
  void ShrinkTo(uint64_t size) {
    MutexLock lock(mutex_);
    const uint64_t old = this->size();
    if (size >= old) return;
    const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    const uint64_t whole = std::min((size + page - 1) / page * page, kAddresses);
    std::memset(begin_ + size, 0, std::min(whole, old) - size);
    if (whole < old) (void)::madvise(begin_ + whole, old - whole, MADV_DONTNEED);
    size_.store(size, std::memory_order_release);
  }

 private:
  char* const begin_;
  std::atomic<uint64_t> open_{0};
  std::atomic<uint64_t> size_{0};
  std::atomic<bool> linked_{true};
  Mutex mutex_;  // held while the first two change
};

class MemoryRegion : public MappedRegion {
 public:
  MemoryRegion(std::shared_ptr<Content> content, size_t size)
      : MappedRegion(content->begin(), size, /*observed=*/false), content_(std::move(content)) {}
  void Populate(uint64_t /*offset*/, size_t /*length*/) override {}
  // The file itself lies there, and may still be written by other means.
  absl::Status ProtectReadOnly() override { return absl::OkStatus(); }

 private:
  const std::shared_ptr<Content> content_;
};

class MemoryFile : public File {
 public:
  MemoryFile(std::string name, std::shared_ptr<Content> content)
      : File(std::move(name)), content_(std::move(content)) {}
  bool IsLinked() const override { return content_->linked(); }

 protected:
  int64_t DoPread(uint64_t offset, void* buffer, size_t size) const override {
    const uint64_t end = content_->size();
    if (offset >= end) return 0;
    const uint64_t bytes = std::min<uint64_t>(size, end - offset);
    std::memcpy(buffer, content_->begin() + offset, bytes);
    return static_cast<int64_t>(bytes);
  }
  int64_t DoPwritev(uint64_t offset, const iovec* pieces, int count) override {
    uint64_t bytes = 0;
    for (int i = 0; i < count; ++i) bytes += pieces[i].iov_len;
    if (offset > kAddresses || bytes > kAddresses - offset) return -EFBIG;
    const int error = content_->Open(offset + bytes);
    if (error < 0) return error;
    char* to = content_->begin() + offset;
    for (int i = 0; i < count; ++i) {
      if (pieces[i].iov_len == 0) continue;
      std::memcpy(to, pieces[i].iov_base, pieces[i].iov_len);
      to += pieces[i].iov_len;
    }
    content_->GrowTo(offset + bytes);
    return static_cast<int64_t>(bytes);
  }
  int DoTruncate(uint64_t size) override {
    content_->ShrinkTo(size);
    return DoAllocate(size);
  }
  int DoAllocate(uint64_t size) override {
    const int error = content_->Open(size);
    if (error == 0) content_->GrowTo(size);
    return error;
  }
  int DoSync() override { return 0; }
  int64_t DoSize() const override { return static_cast<int64_t>(content_->size()); }
  int DoMap(size_t size, bool /*writable*/, std::unique_ptr<MappedRegion>* region) override {
    const int error = content_->Open(size);
    if (error == 0) *region = std::make_unique<MemoryRegion>(content_, size);
    return error;
  }
  // Other processes cannot get here, and this process knows from a table of its own.
  int DoLock(LockKind /*kind*/) override { return 0; }

 private:
  const std::shared_ptr<Content> content_;
};

// A directory that is open to be locked.
class DirectoryToLock : public File {
 public:
  explicit DirectoryToLock(std::string name) : File(std::move(name)) {}

 protected:
  int64_t DoPread(uint64_t, void*, size_t) const override { return -EISDIR; }
  int64_t DoPwritev(uint64_t, const iovec*, int) override { return -EISDIR; }
  int DoTruncate(uint64_t) override { return -EISDIR; }
  int DoSync() override { return 0; }
  int64_t DoSize() const override { return -EISDIR; }
  int DoMap(size_t, bool, std::unique_ptr<MappedRegion>*) override { return -EISDIR; }
  int DoLock(LockKind /*kind*/) override { return 0; }
};

// What a directory holds; it stays while it is open.
struct Names {
  Mutex mutex;
  std::map<std::string, std::shared_ptr<Content>> files ABSL_GUARDED_BY(mutex);
  bool removed ABSL_GUARDED_BY(mutex) = false;
  const DirectoryIdentity identity{kNoDevice, NextIdentity()};
};

class MemoryDirectory : public Directory {
 public:
  MemoryDirectory(std::string path, std::shared_ptr<Names> names)
      : Directory(std::move(path)), names_(std::move(names)) {}
  DirectoryIdentity identity() const override { return names_->identity; }
  bool IsLinked() const override {
    MutexLock lock(names_->mutex);
    return !names_->removed;
  }

 protected:
  int DoOpen(const std::string& name, OpenMode mode, std::unique_ptr<File>* file) override {
    const bool creates = mode != OpenMode::kReadOnly && mode != OpenMode::kReadWrite;
    MutexLock lock(names_->mutex);
    auto found = names_->files.find(name);
    if (found == names_->files.end()) {
      if (!creates || names_->removed) return -ENOENT;
      std::shared_ptr<Content> made = Content::Make();
      if (made == nullptr) return -ENOMEM;
      found = names_->files.emplace(name, std::move(made)).first;
    } else if (mode == OpenMode::kCreateNew) {
      return -EEXIST;
    } else if (mode == OpenMode::kCreateOrReplace) {
      found->second->ShrinkTo(0);
    }
    *file = std::make_unique<MemoryFile>(path() + "/" + name, found->second);
    return 0;
  }
  int DoOpenForLocking(std::unique_ptr<File>* file) override {
    *file = std::make_unique<DirectoryToLock>(path());
    return 0;
  }
  int DoUnlink(const std::string& name) override {
    MutexLock lock(names_->mutex);
    const auto found = names_->files.find(name);
    if (found == names_->files.end()) return -ENOENT;
    found->second->SetLinked(false);
    names_->files.erase(found);
    return 0;
  }
  int DoRename(const std::string& from, const std::string& to) override {
    MutexLock lock(names_->mutex);
    const auto found = names_->files.find(from);
    if (found == names_->files.end()) return -ENOENT;
    if (from == to) return 0;
    std::shared_ptr<Content>& target = names_->files[to];
    if (target != nullptr) target->SetLinked(false);
    target = found->second;
    names_->files.erase(found);
    return 0;
  }
  int DoSync() override { return 0; }
  int DoList(std::vector<std::string>* names) override {
    MutexLock lock(names_->mutex);
    for (const auto& [name, content] : names_->files) names->push_back(name);
    return 0;
  }

 private:
  const std::shared_ptr<Names> names_;
};

class MemoryFileSystem : public FileSystem {
 public:
  bool IsOfTheSystem() const override { return false; }

 protected:
  int DoOpenDirectory(const std::string& path, std::unique_ptr<Directory>* directory) override {
    MutexLock lock(mutex_);
    const auto found = directories_.find(Canonical(path));
    if (found == directories_.end()) return -ENOENT;
    *directory = std::make_unique<MemoryDirectory>(path, found->second);
    return 0;
  }
  int DoCreateDirectory(const std::string& path, uint32_t /*mode*/) override {
    MutexLock lock(mutex_);
    std::shared_ptr<Names>& names = directories_[Canonical(path)];
    if (names != nullptr) return -EEXIST;
    names = std::make_shared<Names>();
    return 0;
  }
  int DoRemoveDirectory(const std::string& path) override {
    MutexLock lock(mutex_);
    const auto found = directories_.find(Canonical(path));
    if (found == directories_.end()) return -ENOENT;
    {
      MutexLock names_lock(found->second->mutex);
      if (!found->second->files.empty()) return -ENOTEMPTY;
      found->second->removed = true;
    }
    directories_.erase(found);
    return 0;
  }
  int DoSyncParent(const std::string& /*path*/) override { return 0; }

 private:
  static std::string Canonical(std::string path) {
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    return path;
  }

  Mutex mutex_;
  std::map<std::string, std::shared_ptr<Names>> directories_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<FileSystem> NewMemoryFileSystem() { return std::make_unique<MemoryFileSystem>(); }

}  // namespace rumcask
