#include "tests/crash_kit/crash_node.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace rumcask {
namespace {

const Sector kZeros = {};

const char* BytesOf(const SectorRef& sector) {
  return sector == nullptr ? kZeros.data() : sector->data();
}

const SectorRef& At(const Sectors& sectors, uint64_t index) {
  static const SectorRef* const none = new SectorRef;
  return index < sectors.size() ? sectors[index] : *none;
}

void Set(Sectors* sectors, uint64_t index, const SectorRef& sector) {
  if (index >= sectors->size()) {
    if (sector == nullptr) return;
    sectors->resize(index + 1);
  }
  (*sectors)[index] = sector;
}

// Sector number `index` of a file that is cut to `size` bytes.
SectorRef Clip(const SectorRef& sector, uint64_t index, uint64_t size) {
  const uint64_t begin = index * kSectorSize;
  if (sector == nullptr || size <= begin) return nullptr;
  if (size >= begin + kSectorSize) return sector;
  auto clipped = std::make_shared<Sector>(*sector);
  std::memset(clipped->data() + (size - begin), 0, kSectorSize - (size - begin));
  return clipped;
}

void ClipAll(Sectors* sectors, uint64_t size) {
  const uint64_t count = (size + kSectorSize - 1) / kSectorSize;
  if (sectors->size() > count) sectors->resize(count);
  if (sectors->size() == count && count > 0) {
    sectors->back() = Clip(sectors->back(), count - 1, size);
  }
}

// Zeros the bytes of `buffer` in [begin, end), but leaves pages alone that do not exist, as they
// are zero anyway.
void ZeroBuffer(const MappedBuffer& buffer, uint64_t begin, uint64_t end) {
  end = std::min<uint64_t>(end, buffer.size());
  if (begin >= end) return;
  const uint64_t page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const uint64_t first_page = (begin + page - 1) / page * page;
  const uint64_t last_page = end / page * page;
  if (first_page >= last_page) {
    std::memset(buffer.data() + begin, 0, end - begin);
    return;
  }
  std::memset(buffer.data() + begin, 0, first_page - begin);
  ::madvise(buffer.data() + first_page, last_page - first_page, MADV_DONTNEED);
  std::memset(buffer.data() + last_page, 0, end - last_page);
}

}  // namespace

MappedBuffer::MappedBuffer(size_t size) : size_(size) {
  void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) {
    std::perror("crash_kit: mmap");
    std::abort();
  }
  data_ = static_cast<char*>(data);
}

MappedBuffer::~MappedBuffer() { ::munmap(data_, size_); }

Sectors* SharedSectors::Mutable() {
  if (shared_) {
    sectors_ = std::make_shared<Sectors>(*sectors_);
    shared_ = false;
  }
  return sectors_.get();
}

FileNode::FileNode(uint64_t inode, const CrashImage::File& durable)
    : inode_(inode),
      size_(durable.size),
      current_(durable.sectors),
      durable_size_(durable.size),
      durable_(durable.sectors) {}

FileNode::FileNode(const FileNode& other)
    : inode_(other.inode_),
      size_(other.size_),
      current_(other.current_),
      durable_size_(other.durable_size_),
      durable_(other.durable_),
      histories_(other.histories_),
      sizes_(other.sizes_),
      shrunk_(other.shrunk_) {}

size_t FileNode::Read(uint64_t offset, char* buffer, size_t size) const {
  if (offset >= size_) return 0;
  size = std::min<uint64_t>(size, size_ - offset);
  for (size_t done = 0; done < size;) {
    const uint64_t index = (offset + done) / kSectorSize;
    const size_t begin = (offset + done) % kSectorSize;
    const size_t step = std::min(kSectorSize - begin, size - done);
    std::memcpy(buffer + done, BytesOf(At(current_.get(), index)) + begin, step);
    done += step;
  }
  return size;
}

void FileNode::Write(uint64_t time, uint64_t offset, std::string_view data,
                     const MappedBuffer* source) {
  for (size_t done = 0; done < data.size();) {
    const uint64_t index = (offset + done) / kSectorSize;
    const size_t begin = (offset + done) % kSectorSize;
    const size_t step = std::min(kSectorSize - begin, data.size() - done);
    WriteSector(time, index, begin, data.substr(done, step));
    done += step;
  }
  if (offset + data.size() > size_) {
    size_ = offset + data.size();
    sizes_.push_back({time, size_});
  }
  for (const std::shared_ptr<MappedBuffer>& buffer : Buffers()) {
    if (buffer.get() == source || offset >= buffer->size()) continue;
    // Copies exactly these bytes, because other threads may be reading the rest.
    std::memcpy(buffer->data() + offset, data.data(),
                std::min<uint64_t>(data.size(), buffer->size() - offset));
  }
}

void FileNode::WriteSector(uint64_t time, uint64_t index, size_t begin, std::string_view data) {
  const SectorRef& old = At(current_.get(), index);
  if (std::memcmp(BytesOf(old) + begin, data.data(), data.size()) == 0) {
    // A write that changes no byte need not be added: a cut cannot leave anything by it that the
    // history does not have. There are two exceptions: the last version of the history is not the
    // current content, or it was lost and will not become durable.
    const auto history = histories_.find(index);
    const bool lost = history != histories_.end() &&
                      history->second.versions.back().time <= history->second.lost_through;
    if (!lost && !shrunk_) return;
  }
  Sector bytes;
  std::memcpy(bytes.data(), BytesOf(old), kSectorSize);
  std::memcpy(bytes.data() + begin, data.data(), data.size());
  SectorRef sector = bytes == kZeros ? nullptr : std::make_shared<const Sector>(bytes);
  histories_[index].versions.push_back({time, sector});
  Set(current_.Mutable(), index, sector);
}

void FileNode::Truncate(uint64_t time, uint64_t size) {
  if (size == size_) return;
  if (size < size_) {
    shrunk_ = true;
    ClipAll(current_.Mutable(), size);
    for (const std::shared_ptr<MappedBuffer>& buffer : Buffers()) ZeroBuffer(*buffer, size, size_);
  }
  size_ = size;
  sizes_.push_back({time, size});
}

std::vector<FileNode::SizeChange> FileNode::Shrinks(size_t count) const {
  std::vector<SizeChange> shrinks;
  uint64_t before = durable_size_;
  for (size_t i = 0; i < count; ++i) {
    if (sizes_[i].size < before) shrinks.push_back(sizes_[i]);
    before = sizes_[i].size;
  }
  return shrinks;
}

void FileNode::Sync(uint64_t up_to) {
  const auto happened = [up_to](const auto& change) { return change.time <= up_to; };
  const size_t size_count = static_cast<size_t>(
      std::partition_point(sizes_.begin(), sizes_.end(), happened) - sizes_.begin());
  const std::vector<SizeChange> shrinks = Shrinks(size_count);
  if (histories_.empty() && size_count == 0) return;

  Sectors* durable = durable_.Mutable();
  for (const SizeChange& shrink : shrinks) ClipAll(durable, shrink.size);
  for (auto it = histories_.begin(); it != histories_.end();) {
    const uint64_t index = it->first;
    std::vector<Version>& versions = it->second.versions;
    const auto end = std::partition_point(versions.begin(), versions.end(), happened);
    for (auto version = versions.begin(); version != end; ++version) {
      for (const SizeChange& shrink : shrinks) {
        if (shrink.time > version->time) {
          version->sector = Clip(version->sector, index, shrink.size);
        }
      }
    }
    if (end != versions.begin() && std::prev(end)->time > it->second.lost_through) {
      Set(durable, index, std::prev(end)->sector);
      versions.erase(versions.begin(), end);
    }
    it = versions.empty() ? histories_.erase(it) : std::next(it);
  }
  if (size_count > 0) durable_size_ = sizes_[size_count - 1].size;
  sizes_.erase(sizes_.begin(), sizes_.begin() + static_cast<std::ptrdiff_t>(size_count));
  shrunk_ = !Shrinks(sizes_.size()).empty();
}

void FileNode::LoseDirty(uint64_t now) {
  for (auto& [index, history] : histories_) history.lost_through = now;
}

CrashImage::File FileNode::Cut(Keeper* keeper) const {
  using Choice = KeepPolicy::Choice;
  const KeepPolicy& policy = keeper->policy();
  if ((histories_.empty() && sizes_.empty()) ||
      (policy.sectors == Choice::kDurable && policy.sizes == Choice::kDurable)) {
    return {durable_size_, durable_.Share()};
  }
  if (policy.sectors == Choice::kNewest && policy.sizes == Choice::kNewest) {
    return {size_, current_.Share()};
  }

  const size_t size_count = keeper->ChooseSize(sizes_.size());
  const uint64_t size = size_count == 0 ? durable_size_ : sizes_[size_count - 1].size;
  const std::vector<SizeChange> shrinks = Shrinks(size_count);
  auto sectors = std::make_shared<Sectors>(durable_.get());
  for (const SizeChange& shrink : shrinks) ClipAll(sectors.get(), shrink.size);
  for (const auto& [index, history] : histories_) {
    const std::vector<Version>& versions = history.versions;
    const size_t choice = keeper->ChooseVersion(versions.size(), versions.back().time);
    if (choice == 0) continue;
    const Version& version = versions[choice - 1];
    SectorRef sector = version.sector;
    for (const SizeChange& shrink : shrinks) {
      if (shrink.time > version.time) sector = Clip(sector, index, shrink.size);
    }
    Set(sectors.get(), index, sector);
  }
  ClipAll(sectors.get(), size);
  return {size, std::move(sectors)};
}

std::shared_ptr<MappedBuffer> FileNode::Map(size_t size) {
  for (const std::shared_ptr<MappedBuffer>& buffer : Buffers()) {
    if (buffer->size() >= size) return buffer;
  }
  auto buffer = std::make_shared<MappedBuffer>(size);
  const Sectors& sectors = current_.get();
  for (uint64_t index = 0; index < sectors.size() && index * kSectorSize < size; ++index) {
    if (sectors[index] == nullptr) continue;
    const uint64_t offset = index * kSectorSize;
    std::memcpy(buffer->data() + offset, sectors[index]->data(),
                std::min<uint64_t>(kSectorSize, size - offset));
  }
  buffers_.push_back(buffer);
  return buffer;
}

std::vector<std::shared_ptr<MappedBuffer>> FileNode::Buffers() {
  std::vector<std::shared_ptr<MappedBuffer>> live;
  for (auto it = buffers_.begin(); it != buffers_.end();) {
    std::shared_ptr<MappedBuffer> buffer = it->lock();
    if (buffer == nullptr) {
      it = buffers_.erase(it);
    } else {
      live.push_back(std::move(buffer));
      ++it;
    }
  }
  return live;
}

bool FileNode::Lock(const File* holder, LockKind kind) {
  for (const auto& [other, other_kind] : locks_) {
    if (other == holder) continue;
    if (kind == LockKind::kExclusive || other_kind == LockKind::kExclusive) return false;
  }
  locks_[holder] = kind;
  return true;
}

uint64_t Entry::inode() const { return file != nullptr ? file->inode() : directory->inode(); }

Entry NodeCopies::CopyOf(const Entry& entry) {
  if (entry.directory != nullptr) return {nullptr, entry.directory->Copy(this)};
  if (entry.file == nullptr) return {};
  std::shared_ptr<FileNode>& copy = files[entry.file.get()];
  if (copy == nullptr) copy = std::make_shared<FileNode>(*entry.file);
  return {copy, nullptr};
}

void DirectoryNode::Operation::Apply(Entries* entries) const {
  if (!removed.empty()) entries->erase(removed);
  if (!added.empty()) (*entries)[added] = entry;
}

const Entry* DirectoryNode::Find(const std::string& name) const {
  const auto it = current_.find(name);
  return it == current_.end() ? nullptr : &it->second;
}

void DirectoryNode::Link(uint64_t time, const std::string& name, Entry entry) {
  Do({time, "", name, std::move(entry)});
}

void DirectoryNode::Unlink(uint64_t time, const std::string& name) { Do({time, name, "", {}}); }

void DirectoryNode::Rename(uint64_t time, const std::string& from, const std::string& to) {
  if (from != to) Do({time, from, to, current_.at(from)});
}

void DirectoryNode::Do(Operation operation) {
  operation.Apply(&current_);
  pending_.push_back(std::move(operation));
}

void DirectoryNode::Sync(uint64_t up_to) {
  auto it = pending_.begin();
  for (; it != pending_.end() && it->time <= up_to; ++it) it->Apply(&durable_);
  pending_.erase(pending_.begin(), it);
}

std::shared_ptr<DirectoryNode> DirectoryNode::Copy(NodeCopies* copies) const {
  const auto made = copies->directories.find(this);
  if (made != copies->directories.end()) return made->second;
  auto copy = std::make_shared<DirectoryNode>(inode_);
  copies->directories[this] = copy;
  for (const auto& [name, entry] : current_) copy->current_[name] = copies->CopyOf(entry);
  for (const auto& [name, entry] : durable_) copy->durable_[name] = copies->CopyOf(entry);
  for (const Operation& operation : pending_) {
    copy->pending_.push_back(
        {operation.time, operation.removed, operation.added, copies->CopyOf(operation.entry)});
  }
  return copy;
}

void DirectoryNode::Cut(Keeper* keeper, CrashImage::Tree* tree) const {
  const Entries* entries = &durable_;
  Entries changed;
  if (!pending_.empty()) {
    changed = durable_;
    for (const Operation& operation : pending_) {
      if (keeper->KeepsEntryOperation()) operation.Apply(&changed);
    }
    entries = &changed;
  }
  std::map<std::string, uint64_t>& inodes = tree->directories[inode_];
  for (const auto& [name, entry] : *entries) {
    const uint64_t inode = entry.inode();
    inodes.emplace(name, inode);
    if (entry.file != nullptr) {
      // A subset of renames can leave two names for one file; the file is cut only once.
      if (tree->files.count(inode) == 0) tree->files.emplace(inode, entry.file->Cut(keeper));
    } else if (tree->directories.count(inode) == 0) {
      entry.directory->Cut(keeper, tree);
    }
  }
}

}  // namespace rumcask
