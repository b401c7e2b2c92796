// Inodes of the crash file system: the durable state of files and directories, and the history
// since.
//
// Times are the file system's own count of changes. Not thread-safe: everything is called with the
// file system's lock held.

#ifndef RUMCASK_TESTS_CRASH_KIT_CRASH_NODE_H_
#define RUMCASK_TESTS_CRASH_KIT_CRASH_NODE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/system/file_system.h"
#include "tests/crash_kit/crash_image.h"

namespace rumcask {

// Anonymous memory in place of the mapping of a file. Pages that nobody touched cost nothing.
class MappedBuffer {
 public:
  explicit MappedBuffer(size_t size);
  ~MappedBuffer();
  MappedBuffer(const MappedBuffer&) = delete;
  MappedBuffer& operator=(const MappedBuffer&) = delete;

  char* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  char* data_;
  size_t size_;
};

// Sectors that are copied before a change if another holder has them, too.
class SharedSectors {
 public:
  SharedSectors() : sectors_(std::make_shared<Sectors>()) {}
  explicit SharedSectors(const std::shared_ptr<const Sectors>& sectors)
      : sectors_(std::const_pointer_cast<Sectors>(sectors)), shared_(true) {}
  SharedSectors(const SharedSectors& other) : SharedSectors(other.Share()) {}
  SharedSectors& operator=(const SharedSectors&) = delete;

  const Sectors& get() const { return *sectors_; }
  Sectors* Mutable();
  std::shared_ptr<const Sectors> Share() const {
    shared_ = true;
    return sectors_;
  }

 private:
  std::shared_ptr<Sectors> sectors_;
  // use_count() cannot be used, because it does not order the reads of a holder that has just
  // released the sectors.
  mutable bool shared_ = false;
};

class FileNode {
 public:
  explicit FileNode(uint64_t inode) : inode_(inode) {}
  FileNode(uint64_t inode, const CrashImage::File& durable);
  // The same file with the same history, which nobody has open.
  FileNode(const FileNode& other);
  FileNode& operator=(const FileNode&) = delete;

  uint64_t inode() const { return inode_; }
  uint64_t size() const { return size_; }
  size_t Read(uint64_t offset, char* buffer, size_t size) const;

  // `source`: the mapping that has the bytes already, or nullptr.
  void Write(uint64_t time, uint64_t offset, std::string_view data, const MappedBuffer* source);
  void Truncate(uint64_t time, uint64_t size);
  // Makes everything durable that happened at `up_to` or earlier.
  void Sync(uint64_t up_to);
  // The sync failed, and the system took the dirty pages for clean: nothing that happened so far is
  // certain to become durable any more.
  void LoseDirty(uint64_t now);

  CrashImage::File Cut(Keeper* keeper) const;

  std::shared_ptr<MappedBuffer> Map(size_t size);

  bool Lock(const File* holder, LockKind kind);
  void Unlock(const File* holder) { locks_.erase(holder); }

 private:
  struct Version {
    uint64_t time;
    SectorRef sector;
  };
  struct History {
    std::vector<Version> versions;
    uint64_t lost_through = 0;
  };
  struct SizeChange {
    uint64_t time;
    uint64_t size;
  };

  void WriteSector(uint64_t time, uint64_t index, size_t begin, std::string_view data);
  // Those of the first `count` size changes that made the file smaller.
  std::vector<SizeChange> Shrinks(size_t count) const;
  std::vector<std::shared_ptr<MappedBuffer>> Buffers();

  const uint64_t inode_;
  uint64_t size_ = 0;
  SharedSectors current_;
  uint64_t durable_size_ = 0;
  SharedSectors durable_;
  std::map<uint64_t, History> histories_;  // by sector number; dirty sectors only
  std::vector<SizeChange> sizes_;
  bool shrunk_ = false;  // one of sizes_ made the file smaller
  std::vector<std::weak_ptr<MappedBuffer>> buffers_;
  std::map<const File*, LockKind> locks_;
};

class DirectoryNode;

// What a name refers to; exactly one of the two is set.
struct Entry {
  std::shared_ptr<FileNode> file;
  std::shared_ptr<DirectoryNode> directory;

  uint64_t inode() const;
};

// The nodes of a tree that is being copied, with their copies.
struct NodeCopies {
  std::map<const FileNode*, std::shared_ptr<FileNode>> files;
  std::map<const DirectoryNode*, std::shared_ptr<DirectoryNode>> directories;

  Entry CopyOf(const Entry& entry);
};

class DirectoryNode {
 public:
  using Entries = std::map<std::string, Entry>;

  explicit DirectoryNode(uint64_t inode) : inode_(inode) {}
  DirectoryNode(uint64_t inode, Entries durable)
      : inode_(inode), current_(durable), durable_(std::move(durable)) {}

  uint64_t inode() const { return inode_; }
  // A file without bytes; its locks are those of the directory.
  const std::shared_ptr<FileNode>& lock() const { return lock_; }
  const Entries& entries() const { return current_; }
  // nullptr if there is none.
  const Entry* Find(const std::string& name) const;

  void Link(uint64_t time, const std::string& name, Entry entry);
  void Unlink(uint64_t time, const std::string& name);
  void Rename(uint64_t time, const std::string& from, const std::string& to);
  void Sync(uint64_t up_to);

  // Copies it with everything below it and all histories.
  std::shared_ptr<DirectoryNode> Copy(NodeCopies* copies) const;

  // Adds this directory and everything below it to `tree`.
  void Cut(Keeper* keeper, CrashImage::Tree* tree) const;

 private:
  // Removes one name and then adds another; an empty name means that there is nothing to do.
  struct Operation {
    uint64_t time;
    std::string removed;
    std::string added;
    Entry entry;

    void Apply(Entries* entries) const;
  };

  void Do(Operation operation);

  const uint64_t inode_;
  const std::shared_ptr<FileNode> lock_ = std::make_shared<FileNode>(inode_);
  Entries current_;
  Entries durable_;
  std::vector<Operation> pending_;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CRASH_KIT_CRASH_NODE_H_
