// Open files, mappings and directories of the crash file system.

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "tests/crash_kit/crash_state.h"

namespace rumcask {
namespace {

class CrashRegion : public MappedRegion {
 public:
  CrashRegion(std::shared_ptr<CrashState> state, std::shared_ptr<FileNode> node,
              std::shared_ptr<MappedBuffer> buffer, size_t size, std::string name, bool writable)
      : MappedRegion(buffer->data(), size, /*observed=*/true),
        state_(std::move(state)),
        node_(std::move(node)),
        buffer_(std::move(buffer)),
        name_(std::move(name)),
        writable_(writable) {}

  void Populate(uint64_t /*offset*/, size_t /*length*/) override {}

  // Other mappings share the memory, so a stray store is noticed in Wrote and not when it is made.
  absl::Status ProtectReadOnly() override {
    writable_.store(false);
    return absl::OkStatus();
  }

 protected:
  void DoWrote(uint64_t offset, size_t length) override {
    if (length == 0) return;
    CrashOperation operation(state_.get(), "wrote", name_);
    MutexLock lock(state_->mutex);
    if (!writable_.load()) Die("on a read-only mapping", offset, length);
    if (offset + length > size()) Die("past the mapping's end", offset, length);
    if (offset + length > node_->size()) Die("past the file's end", offset, length);
    const uint64_t now = ++state_->time;
    state_->write_times.push_back(now);
    node_->Write(now, offset, std::string_view(data() + offset, length), buffer_.get());
  }

 private:
  [[noreturn]] void Die(const char* where, uint64_t offset, size_t length) const {
    std::fprintf(
        stderr,
        "crash_kit: Wrote(%llu, %zu) %s: %s has %llu bytes, its mapping %zu; a real system "
        "would lose the bytes or kill the process\n",
        static_cast<unsigned long long>(offset), length, where, name_.c_str(),
        static_cast<unsigned long long>(node_->size()), size());
    std::abort();
  }

  const std::shared_ptr<CrashState> state_;
  const std::shared_ptr<FileNode> node_;
  const std::shared_ptr<MappedBuffer> buffer_;
  const std::string name_;
  std::atomic<bool> writable_;
};

class CrashFile : public File {
 public:
  CrashFile(std::string name, std::shared_ptr<CrashState> state, std::shared_ptr<FileNode> node,
            bool writable)
      : File(std::move(name)),
        state_(std::move(state)),
        node_(std::move(node)),
        writable_(writable) {}

  ~CrashFile() override {
    MutexLock lock(state_->mutex);
    node_->Unlock(this);
  }

 protected:
  int64_t DoPread(uint64_t offset, void* buffer, size_t size) const override {
    MutexLock lock(state_->mutex);
    return static_cast<int64_t>(node_->Read(offset, static_cast<char*>(buffer), size));
  }

  int64_t DoPwritev(uint64_t offset, const iovec* pieces, int count) override {
    CrashOperation operation(state_.get(), "pwrite", name());
    if (!writable_) return -EBADF;
    std::string joined;
    std::string_view data;
    if (count == 1) {
      data = {static_cast<const char*>(pieces[0].iov_base), pieces[0].iov_len};
    } else {
      for (int i = 0; i < count; ++i) {
        joined.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
      }
      data = joined;
    }
    if (data.empty()) return 0;
    MutexLock lock(state_->mutex);
    data = data.substr(0, state_->Fit(*node_, offset, data.size()));
    if (data.empty()) return -ENOSPC;
    const uint64_t now = ++state_->time;
    state_->write_times.push_back(now);
    node_->Write(now, offset, data, nullptr);
    return static_cast<int64_t>(data.size());
  }

  int DoTruncate(uint64_t size) override {
    CrashOperation operation(state_.get(), "truncate", name());
    if (!writable_) return -EINVAL;
    MutexLock lock(state_->mutex);
    node_->Truncate(++state_->time, size);
    return 0;
  }

  int DoSync() override {
    CrashOperation operation(state_.get(), "sync", name());
    MutexLock lock(state_->mutex);
    node_->Sync(operation.began());
    return 0;
  }

  int64_t DoSize() const override {
    MutexLock lock(state_->mutex);
    return static_cast<int64_t>(node_->size());
  }

  int DoMap(size_t size, bool writable, std::unique_ptr<MappedRegion>* region) override {
    if (size == 0) return -EINVAL;
    if (writable && !writable_) return -EACCES;
    MutexLock lock(state_->mutex);
    *region =
        std::make_unique<CrashRegion>(state_, node_, node_->Map(size), size, name(), writable);
    return 0;
  }

  int DoLock(LockKind kind) override {
    MutexLock lock(state_->mutex);
    return node_->Lock(this, kind) ? 0 : -EWOULDBLOCK;
  }

 private:
  const std::shared_ptr<CrashState> state_;
  const std::shared_ptr<FileNode> node_;
  const bool writable_;
};

class CrashDirectory : public Directory {
 public:
  CrashDirectory(std::string path, std::shared_ptr<CrashState> state,
                 std::shared_ptr<DirectoryNode> node)
      : Directory(std::move(path)), state_(std::move(state)), node_(std::move(node)) {}

  DirectoryIdentity identity() const override { return {state_->device, node_->inode()}; }

 protected:
  int DoOpen(const std::string& name, OpenMode mode, std::unique_ptr<File>* file) override {
    if (!IsComponent(name)) return -EINVAL;
    const bool creates = mode != OpenMode::kReadOnly && mode != OpenMode::kReadWrite;
    std::shared_ptr<FileNode> node;
    int error = Lookup(name, &node);
    if (error == 0 && mode == OpenMode::kCreateNew) return -EEXIST;
    if (error == -ENOENT && creates) error = Create(name, mode, &node);
    if (error != 0) return error;
    *file =
        std::make_unique<CrashFile>(path() + "/" + name, state_, node, mode != OpenMode::kReadOnly);
    if (mode == OpenMode::kCreateOrReplace) return Empty(node, (*file)->name());
    return 0;
  }

  int DoOpenForLocking(std::unique_ptr<File>* file) override {
    MutexLock lock(state_->mutex);
    *file = std::make_unique<CrashFile>(path(), state_, node_->lock(), /*writable=*/false);
    return 0;
  }

  int DoUnlink(const std::string& name) override {
    CrashOperation operation(state_.get(), "unlink", path() + "/" + name);
    MutexLock lock(state_->mutex);
    const Entry* entry = node_->Find(name);
    if (entry == nullptr) return -ENOENT;
    if (entry->directory != nullptr) return -EISDIR;
    node_->Unlink(++state_->time, name);
    return 0;
  }

  int DoRename(const std::string& from, const std::string& to) override {
    CrashOperation operation(state_.get(), "rename", path() + "/" + from);
    if (!IsComponent(to)) return -EINVAL;
    MutexLock lock(state_->mutex);
    const Entry* source = node_->Find(from);
    if (source == nullptr) return -ENOENT;
    const Entry* target = node_->Find(to);
    if (target != nullptr && target->directory != nullptr && source->file != nullptr) {
      return -EISDIR;
    }
    if (target != nullptr && source->directory != nullptr && from != to) return -EEXIST;
    node_->Rename(++state_->time, from, to);
    return 0;
  }

  int DoSync() override {
    CrashOperation operation(state_.get(), "sync directory", path());
    MutexLock lock(state_->mutex);
    node_->Sync(operation.began());
    return 0;
  }

  int DoList(std::vector<std::string>* names) override {
    MutexLock lock(state_->mutex);
    for (const auto& [name, entry] : node_->entries()) names->push_back(name);
    return 0;
  }

 private:
  static bool IsComponent(const std::string& name) {
    return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos;
  }

  int Lookup(const std::string& name, std::shared_ptr<FileNode>* node) const {
    MutexLock lock(state_->mutex);
    const Entry* entry = node_->Find(name);
    if (entry == nullptr) return -ENOENT;
    if (entry->file == nullptr) return -EISDIR;
    *node = entry->file;
    return 0;
  }

  int Create(const std::string& name, OpenMode mode, std::shared_ptr<FileNode>* node) {
    CrashOperation operation(state_.get(), "create", path() + "/" + name);
    MutexLock lock(state_->mutex);
    // Another thread may have created it meanwhile.
    if (const Entry* entry = node_->Find(name)) {
      if (mode == OpenMode::kCreateNew) return -EEXIST;
      if (entry->file == nullptr) return -EISDIR;
      *node = entry->file;
      return 0;
    }
    *node = std::make_shared<FileNode>(state_->next_inode++);
    node_->Link(++state_->time, name, {*node, nullptr});
    return 0;
  }

  int Empty(const std::shared_ptr<FileNode>& node, const std::string& name) {
    {
      MutexLock lock(state_->mutex);
      if (node->size() == 0) return 0;
    }
    CrashOperation operation(state_.get(), "truncate", name);
    MutexLock lock(state_->mutex);
    node->Truncate(++state_->time, 0);
    return 0;
  }

  const std::shared_ptr<CrashState> state_;
  const std::shared_ptr<DirectoryNode> node_;
};

}  // namespace

std::unique_ptr<Directory> OpenCrashDirectory(std::shared_ptr<CrashState> state,
                                              const std::string& path,
                                              std::shared_ptr<DirectoryNode> node) {
  return std::make_unique<CrashDirectory>(path, std::move(state), std::move(node));
}

}  // namespace rumcask
