#include "tests/crash_kit/crash_file_system.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <utility>

#include "tests/crash_kit/crash_state.h"

namespace rumcask {
namespace {

constexpr uint64_t kAllTime = std::numeric_limits<uint64_t>::max();

// Builds nodes from an image. A file with two names becomes one node.
class Thaw {
 public:
  explicit Thaw(const CrashImage::Tree& tree) : tree_(tree) {}

  std::shared_ptr<DirectoryNode> Directory(uint64_t inode) {
    std::shared_ptr<DirectoryNode>& node = directories_[inode];
    if (node != nullptr) return node;
    DirectoryNode::Entries entries;
    for (const auto& [name, child] : tree_.directories.at(inode)) {
      if (tree_.directories.count(child) > 0) {
        entries[name] = {nullptr, Directory(child)};
      } else {
        entries[name] = {File(child), nullptr};
      }
    }
    node = std::make_shared<DirectoryNode>(inode, std::move(entries));
    return node;
  }

 private:
  std::shared_ptr<FileNode> File(uint64_t inode) {
    std::shared_ptr<FileNode>& node = files_[inode];
    if (node == nullptr) node = std::make_shared<FileNode>(inode, tree_.files.at(inode));
    return node;
  }

  const CrashImage::Tree& tree_;
  std::map<uint64_t, std::shared_ptr<FileNode>> files_;
  std::map<uint64_t, std::shared_ptr<DirectoryNode>> directories_;
};

void AddContents(const DirectoryNode& directory, const std::string& prefix,
                 std::map<std::string, std::string>* contents) {
  for (const auto& [name, entry] : directory.entries()) {
    if (entry.directory != nullptr) {
      (*contents)[prefix + name + "/"];
      AddContents(*entry.directory, prefix + name + "/", contents);
    } else {
      std::string& bytes = (*contents)[prefix + name];
      bytes.resize(entry.file->size());
      entry.file->Read(0, bytes.data(), bytes.size());
    }
  }
}

[[noreturn]] void DieMissing(std::string_view path) {
  std::fprintf(stderr, "crash_kit: %.*s is missing\n", static_cast<int>(path.size()), path.data());
  std::abort();
}

FileNode& FileAt(const CrashState& state, std::string_view path)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(state.mutex) {
  const Entry entry = state.Find(path);
  if (entry.file == nullptr) DieMissing(path);
  // The tree keeps the node alive.
  return *entry.file;
}

DirectoryNode& ParentOf(const CrashState& state, std::string_view path)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(state.mutex) {
  const std::shared_ptr<DirectoryNode> parent = state.FindDirectory(SplitPath(path).parent);
  if (parent == nullptr) DieMissing(path);
  return *parent;
}

}  // namespace

CrashFileSystem::CrashFileSystem(std::string_view root) : state_(std::make_shared<CrashState>()) {
  MutexLock lock(state_->mutex);
  state_->root = std::make_shared<DirectoryNode>(state_->next_inode++);
  std::shared_ptr<DirectoryNode> directory = state_->root;
  std::string path(root);
  std::vector<std::string> names;
  for (SplitPath split(path); !split.name.empty(); split = SplitPath(split.parent)) {
    names.push_back(split.name);
  }
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    auto child = std::make_shared<DirectoryNode>(state_->next_inode++);
    directory->Link(0, *name, {nullptr, child});
    directory->Sync(kAllTime);
    directory = child;
  }
}

CrashFileSystem::CrashFileSystem(const CrashImage& image) : state_(std::make_shared<CrashState>()) {
  MutexLock lock(state_->mutex);
  state_->next_inode = image.tree->next_inode;
  state_->root = Thaw(*image.tree).Directory(image.tree->root);
}

CrashFileSystem::CrashFileSystem(std::shared_ptr<CrashState> state) : state_(std::move(state)) {}

CrashFileSystem::~CrashFileSystem() = default;

std::unique_ptr<CrashFileSystem> CrashFileSystem::AfterKill() const {
  auto copy = std::make_shared<CrashState>();
  NodeCopies copies;
  MutexLock lock(state_->mutex);
  MutexLock copy_lock(copy->mutex);
  copy->time = state_->time;
  copy->next_inode = state_->next_inode;
  copy->write_times = state_->write_times;
  copy->root = state_->root->Copy(&copies);
  return std::unique_ptr<CrashFileSystem>(new CrashFileSystem(std::move(copy)));
}

void CrashFileSystem::SetObserver(Observer observer) {
  MutexLock lock(state_->mutex);
  state_->observer = std::make_shared<const Observer>(std::move(observer));
}

uint64_t CrashFileSystem::operation_count() const {
  MutexLock lock(state_->mutex);
  return state_->operations;
}

CrashImage CrashFileSystem::Cut(const KeepPolicy& policy) const {
  auto tree = std::make_shared<CrashImage::Tree>();
  MutexLock lock(state_->mutex);
  const size_t writes = state_->write_times.size();
  const size_t kept = std::min(writes, static_cast<size_t>(policy.latest_writes));
  Keeper keeper(policy, kept == 0 ? kAllTime : state_->write_times[writes - kept]);
  tree->root = state_->root->inode();
  tree->next_inode = state_->next_inode;
  state_->root->Cut(&keeper, tree.get());
  return {std::move(tree)};
}

void CrashFileSystem::LoseDirty(std::string_view path) {
  MutexLock lock(state_->mutex);
  FileAt(*state_, path).LoseDirty(state_->time);
}

std::map<std::string, std::string> CrashFileSystem::Contents(std::string_view directory) const {
  std::map<std::string, std::string> contents;
  MutexLock lock(state_->mutex);
  const std::shared_ptr<DirectoryNode> node = state_->FindDirectory(directory);
  if (node == nullptr) DieMissing(directory);
  AddContents(*node, "", &contents);
  return contents;
}

void CrashFileSystem::SetCapacity(uint64_t bytes) {
  MutexLock lock(state_->mutex);
  state_->capacity = bytes;
}

void CrashFileSystem::FlipBit(std::string_view path, uint64_t byte, int bit) {
  char value = 0;
  {
    MutexLock lock(state_->mutex);
    if (FileAt(*state_, path).Read(byte, &value, 1) == 0) DieMissing(path);
  }
  value = static_cast<char>(value ^ (1 << bit));
  Overwrite(path, byte, std::string_view(&value, 1));
}

void CrashFileSystem::Overwrite(std::string_view path, uint64_t offset, std::string_view bytes) {
  MutexLock lock(state_->mutex);
  FileNode& file = FileAt(*state_, path);
  file.Write(++state_->time, offset, bytes, nullptr);
  file.Sync(kAllTime);
}

void CrashFileSystem::TruncateFile(std::string_view path, uint64_t size) {
  MutexLock lock(state_->mutex);
  FileNode& file = FileAt(*state_, path);
  file.Truncate(++state_->time, size);
  file.Sync(kAllTime);
}

void CrashFileSystem::RemoveFile(std::string_view path) {
  MutexLock lock(state_->mutex);
  FileAt(*state_, path);
  DirectoryNode& parent = ParentOf(*state_, path);
  parent.Unlink(++state_->time, SplitPath(path).name);
  parent.Sync(kAllTime);
}

void CrashFileSystem::CopyFile(std::string_view from, std::string_view to) {
  std::string bytes;
  {
    MutexLock lock(state_->mutex);
    const FileNode& file = FileAt(*state_, from);
    bytes.resize(file.size());
    file.Read(0, bytes.data(), bytes.size());
  }
  WriteFile(to, bytes);
}

void CrashFileSystem::WriteFile(std::string_view path, std::string_view bytes) {
  MutexLock lock(state_->mutex);
  auto file = std::make_shared<FileNode>(state_->next_inode++);
  file->Write(++state_->time, 0, bytes, nullptr);
  file->Sync(kAllTime);
  DirectoryNode& parent = ParentOf(*state_, path);
  parent.Link(++state_->time, SplitPath(path).name, {file, nullptr});
  parent.Sync(kAllTime);
}

int CrashFileSystem::DoOpenDirectory(const std::string& path,
                                     std::unique_ptr<Directory>* directory) {
  std::shared_ptr<DirectoryNode> node;
  {
    MutexLock lock(state_->mutex);
    const Entry entry = state_->Find(path);
    if (entry.file != nullptr) return -ENOTDIR;
    if (entry.directory == nullptr) return -ENOENT;
    node = entry.directory;
  }
  *directory = OpenCrashDirectory(state_, path, std::move(node));
  return 0;
}

int CrashFileSystem::DoCreateDirectory(const std::string& path, uint32_t /*mode*/) {
  CrashOperation operation(state_.get(), "mkdir", path);
  const SplitPath split(path);
  MutexLock lock(state_->mutex);
  const std::shared_ptr<DirectoryNode> parent = state_->FindDirectory(split.parent);
  if (parent == nullptr) return -ENOENT;
  if (split.name.empty() || parent->Find(split.name) != nullptr) return -EEXIST;
  parent->Link(++state_->time, split.name,
               {nullptr, std::make_shared<DirectoryNode>(state_->next_inode++)});
  return 0;
}

int CrashFileSystem::DoRemoveDirectory(const std::string& path) {
  CrashOperation operation(state_.get(), "rmdir", path);
  const SplitPath split(path);
  MutexLock lock(state_->mutex);
  const std::shared_ptr<DirectoryNode> parent = state_->FindDirectory(split.parent);
  const Entry* const entry = parent == nullptr ? nullptr : parent->Find(split.name);
  if (entry == nullptr) return -ENOENT;
  if (entry->directory == nullptr) return -ENOTDIR;
  if (!entry->directory->entries().empty()) return -ENOTEMPTY;
  parent->Unlink(++state_->time, split.name);
  return 0;
}

int CrashFileSystem::DoSyncParent(const std::string& path) {
  CrashOperation operation(state_.get(), "sync parent", path);
  MutexLock lock(state_->mutex);
  const std::shared_ptr<DirectoryNode> parent = state_->FindDirectory(SplitPath(path).parent);
  if (parent == nullptr) return -ENOENT;
  parent->Sync(operation.began());
  return 0;
}

}  // namespace rumcask
