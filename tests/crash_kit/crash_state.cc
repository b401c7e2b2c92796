#include "tests/crash_kit/crash_state.h"

#include <algorithm>
#include <atomic>
#include <utility>

namespace rumcask {
namespace {

uint64_t NextDevice() {
  // High, so that it is not the number of a real device.
  static std::atomic<uint64_t> next{uint64_t{1} << 48};
  return next.fetch_add(1);
}

// The components, without "." and without ".." and the component that it cancels.
std::vector<std::string> Components(std::string_view path) {
  std::vector<std::string> components;
  while (!path.empty()) {
    const size_t end = std::min(path.find('/'), path.size());
    const std::string_view component = path.substr(0, end);
    if (component == "..") {
      if (!components.empty()) components.pop_back();
    } else if (!component.empty() && component != ".") {
      components.emplace_back(component);
    }
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return components;
}

uint64_t BytesBelow(const DirectoryNode& directory) {
  uint64_t bytes = 0;
  for (const auto& [name, entry] : directory.entries()) {
    bytes += entry.directory != nullptr ? BytesBelow(*entry.directory) : entry.file->size();
  }
  return bytes;
}

}  // namespace

CrashState::CrashState() : device(NextDevice()) {}

Entry CrashState::Find(std::string_view path) const {
  Entry entry{nullptr, root};
  for (const std::string& component : Components(path)) {
    const Entry* next = entry.directory == nullptr ? nullptr : entry.directory->Find(component);
    if (next == nullptr) return {};
    entry = Entry(*next);
  }
  return entry;
}

std::shared_ptr<DirectoryNode> CrashState::FindDirectory(std::string_view path) const {
  return Find(path).directory;
}

size_t CrashState::Fit(const FileNode& file, uint64_t offset, size_t size) const {
  if (capacity == UINT64_MAX || offset + size <= file.size()) return size;
  const uint64_t used = BytesBelow(*root);
  const uint64_t end = file.size() + (used < capacity ? capacity - used : 0);
  return offset < end ? static_cast<size_t>(std::min<uint64_t>(size, end - offset)) : 0;
}

SplitPath::SplitPath(std::string_view path) {
  std::vector<std::string> components = Components(path);
  if (components.empty()) return;
  name = std::move(components.back());
  components.pop_back();
  for (const std::string& component : components) parent += "/" + component;
}

CrashOperation::CrashOperation(CrashState* state, const char* what, const std::string& name)
    : what_(what), name_(name) {
  {
    MutexLock lock(state->mutex);
    number_ = ++state->operations;
    began_ = state->time;
    observer_ = state->observer;
  }
  Tell(/*after=*/false);
}

CrashOperation::~CrashOperation() { Tell(/*after=*/true); }

void CrashOperation::Tell(bool after) {
  if (observer_ != nullptr && *observer_) (*observer_)(number_, what_, name_, after);
}

}  // namespace rumcask
