#include "tests/power_cut/cut_disk.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "core/system/seeded_bug.h"

namespace rumcask {
namespace {

enum class Kept { kNothing, kEverything, kPrefix, kAny };

Kept Choose(std::mt19937_64* random) { return static_cast<Kept>((*random)() % 4); }

bool Toss(std::mt19937_64* random) { return (*random)() % 2 == 0; }

// How many of `count` changes may be kept.
size_t Considered(Kept kept, size_t count, std::mt19937_64* random) {
  if (kept == Kept::kNothing) return 0;
  return kept == Kept::kPrefix ? (*random)() % (count + 1) : count;
}

}  // namespace

CutDisk::CutDisk() { nodes_[kRoot].mode = S_IFDIR | 0700; }

void CutDisk::CutAt(uint64_t n, bool made, std::function<void()> told) {
  cut_at_ = changes() + n;
  made_ = made;
  told_ = std::move(told);
}

bool CutDisk::Begin(int* error) {
  *error = EIO;
  if (cut()) return false;
  if (changes_.fetch_add(1, std::memory_order_relaxed) + 1 == cut_at_) {
    cut_.store(true, std::memory_order_release);
    told_();
    return made_;
  }
  *error = 0;
  return true;
}

// ---- what a cut keeps ----

void CutDisk::Apply(const DataChange& change, std::string* data) {
  if (change.truncates) {
    data->resize(change.offset);
    return;
  }
  const uint64_t end = change.offset + change.bytes.size();
  if (data->size() < end) data->resize(end);
  change.bytes.copy(data->data() + change.offset, change.bytes.size());
}

void CutDisk::Apply(const EntryChange& change, Entries* entries) {
  for (const auto& [name, id] : change) {
    if (id == 0) {
      entries->erase(name);
    } else {
      (*entries)[name] = id;
    }
  }
}

std::string CutDisk::DataAfterCut(const Node& node, std::mt19937_64* random) {
  std::string data = node.durable_data;
  const Kept kept = Choose(random);
  const size_t considered = Considered(kept, node.data_changes.size(), random);
  for (size_t i = 0; i < considered; ++i) {
    const DataChange& change = node.data_changes[i];
    if (kept != Kept::kAny) {
      Apply(change, &data);
    } else if (change.truncates) {
      if (Toss(random)) Apply(change, &data);
    } else {
      const uint64_t end = change.offset + change.bytes.size();
      for (uint64_t begin = change.offset, next; begin < end; begin = next) {
        next = std::min(end, begin / kSectorBytes * kSectorBytes + kSectorBytes);
        if (!Toss(random)) continue;
        Apply({false, begin, change.bytes.substr(begin - change.offset, next - begin)}, &data);
      }
    }
  }
  // The new length may be kept without all of the bytes.
  if (kept == Kept::kAny && data.size() < node.data.size() && Toss(random)) {
    data.resize(node.data.size());
  }
  return data;
}

CutDisk::Entries CutDisk::EntriesAfterCut(const Node& node, std::mt19937_64* random) {
  Entries entries = node.durable_entries;
  const size_t kept = Considered(Choose(random), node.entry_changes.size(), random);
  for (size_t i = 0; i < kept; ++i) Apply(node.entry_changes[i], &entries);
  return entries;
}

std::unique_ptr<CutDisk> CutDisk::AfterCut(std::mt19937_64* random) const {
  auto disk = std::make_unique<CutDisk>();
  disk->next_ = next_;
  std::vector<Id> reached = {kRoot};
  while (!reached.empty()) {
    const Id id = reached.back();
    reached.pop_back();
    const Node& node = nodes_.at(id);
    Node& found = disk->nodes_[id];
    found.mode = node.mode;
    if (S_ISDIR(node.mode)) {
      found.entries = found.durable_entries = EntriesAfterCut(node, random);
      for (const auto& [name, entry] : found.entries) reached.push_back(entry);
    } else {
      found.data = found.durable_data = DataAfterCut(node, random);
    }
  }
  return disk;
}

// ---- files and directories ----

const CutDisk::Node* CutDisk::Find(Id id, bool is_directory) const {
  const auto it = nodes_.find(id);
  return it != nodes_.end() && S_ISDIR(it->second.mode) == is_directory ? &it->second : nullptr;
}

CutDisk::Node* CutDisk::Find(Id id, bool is_directory) {
  return const_cast<Node*>(std::as_const(*this).Find(id, is_directory));
}

void CutDisk::Change(Node* node, EntryChange change) {
  Apply(change, &node->entries);
  node->entry_changes.push_back(std::move(change));
}

void CutDisk::Change(Node* node, DataChange change) {
  Apply(change, &node->data);
  node->data_changes.push_back(std::move(change));
}

int CutDisk::Lookup(Id directory, std::string_view name, Id* id) const {
  if (cut()) return EIO;
  const Node* node = Find(directory, true);
  if (node == nullptr) return ENOTDIR;
  const auto it = node->entries.find(name);
  if (it == node->entries.end()) return ENOENT;
  *id = it->second;
  return 0;
}

int CutDisk::Stat(Id id, Attributes* attributes) const {
  if (cut()) return EIO;
  const auto it = nodes_.find(id);
  if (it == nodes_.end()) return ENOENT;
  *attributes = {it->second.mode, it->second.data.size()};
  return 0;
}

int CutDisk::List(Id directory, Entries* entries) const {
  if (cut()) return EIO;
  const Node* node = Find(directory, true);
  if (node == nullptr) return ENOTDIR;
  *entries = node->entries;
  return 0;
}

int CutDisk::Read(Id file, uint64_t offset, size_t size, std::string* bytes) const {
  if (cut()) return EIO;
  const Node* node = Find(file, false);
  if (node == nullptr) return EISDIR;
  bytes->clear();
  if (offset < node->data.size()) bytes->assign(node->data, offset, size);
  return 0;
}

int CutDisk::Create(Id directory, std::string_view name, mode_t mode, Id* id) {
  Node* node = Find(directory, true);
  if (node == nullptr) return ENOTDIR;
  if (node->entries.count(name) > 0) return EEXIST;
  int error;
  if (!Begin(&error)) return error;
  *id = next_++;
  nodes_[*id].mode = mode;
  Change(node, {{std::string(name), *id}});
  return error;
}

int CutDisk::Remove(Id directory, std::string_view name, bool is_directory) {
  Node* node = Find(directory, true);
  if (node == nullptr) return ENOTDIR;
  const auto it = node->entries.find(name);
  if (it == node->entries.end()) return ENOENT;
  const Node* removed = Find(it->second, is_directory);
  if (removed == nullptr) return is_directory ? ENOTDIR : EISDIR;
  if (!removed->entries.empty()) return ENOTEMPTY;
  int error;
  if (Begin(&error)) Change(node, {{std::string(name), 0}});
  return error;
}

int CutDisk::Rename(Id directory, std::string_view from, std::string_view to) {
  Node* node = Find(directory, true);
  if (node == nullptr) return ENOTDIR;
  const auto it = node->entries.find(from);
  if (it == node->entries.end()) return ENOENT;
  const Id id = it->second;
  int error;
  if (Begin(&error)) Change(node, {{std::string(from), 0}, {std::string(to), id}});
  return error;
}

int CutDisk::Write(Id file, uint64_t offset, std::string_view bytes) {
  Node* node = Find(file, false);
  if (node == nullptr) return EISDIR;
  int error;
  if (Begin(&error)) Change(node, {false, offset, std::string(bytes)});
  return error;
}

int CutDisk::Truncate(Id file, uint64_t size) {
  Node* node = Find(file, false);
  if (node == nullptr) return EISDIR;
  int error;
  if (Begin(&error)) Change(node, {true, size, ""});
  return error;
}

int CutDisk::Sync(Id id) {
  const auto it = nodes_.find(id);
  if (it == nodes_.end()) return ENOENT;
  Node& node = it->second;
  int error;
  if (!Begin(&error)) return error;
  if (SeededBug("disk-forgets-a-write") && !node.data_changes.empty()) node.data_changes.pop_back();
  for (const DataChange& change : node.data_changes) Apply(change, &node.durable_data);
  node.data_changes.clear();
  node.durable_entries = node.entries;
  node.entry_changes.clear();
  return error;
}

}  // namespace rumcask
