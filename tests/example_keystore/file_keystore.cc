#include "tests/example_keystore/file_keystore.h"

#include <xxhash.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rumcask/disk_index.h"
#include "rumcask/file_system.h"
#include "rumcask/index_directory.h"

namespace example {
namespace {

using Map = std::map<std::string, std::string, std::less<>>;

constexpr char kFile[] = "index";
constexpr char kNextFile[] = "index.next";

// ---- the file: a word of its own, a checksum of the rest, then both maps ----

constexpr std::string_view kMagic = "rumfile1";

void AppendNumber(uint64_t number, std::string* bytes) {
  bytes->append(reinterpret_cast<const char*>(&number), sizeof number);
}

bool TakeNumber(std::string_view* bytes, uint64_t* number) {
  if (bytes->size() < sizeof *number) return false;
  std::memcpy(number, bytes->data(), sizeof *number);
  bytes->remove_prefix(sizeof *number);
  return true;
}

void AppendMap(const Map& map, std::string* bytes) {
  AppendNumber(map.size(), bytes);
  for (const auto& [key, value] : map) {
    AppendNumber(key.size(), bytes);
    AppendNumber(value.size(), bytes);
    bytes->append(key).append(value);
  }
}

bool TakeMap(std::string_view* bytes, Map* map) {
  uint64_t count;
  if (!TakeNumber(bytes, &count)) return false;
  for (; count > 0; --count) {
    uint64_t key;
    uint64_t value;
    if (!TakeNumber(bytes, &key) || !TakeNumber(bytes, &value)) return false;
    if (key > bytes->size() || value > bytes->size() - key) return false;
    map->emplace_hint(map->end(), bytes->substr(0, key), bytes->substr(key, value));
    bytes->remove_prefix(key + value);
  }
  return true;
}

std::string Encode(const Map& entries, const Map& notes) {
  std::string body;
  AppendMap(entries, &body);
  AppendMap(notes, &body);
  std::string bytes(kMagic);
  AppendNumber(XXH3_64bits(body.data(), body.size()), &bytes);
  return bytes + body;
}

bool Decode(std::string_view bytes, Map* entries, Map* notes) {
  uint64_t checksum;
  if (bytes.substr(0, kMagic.size()) != kMagic) return false;
  bytes.remove_prefix(kMagic.size());
  if (!TakeNumber(&bytes, &checksum)) return false;
  if (checksum != XXH3_64bits(bytes.data(), bytes.size())) return false;
  return TakeMap(&bytes, entries) && TakeMap(&bytes, notes) && bytes.empty();
}

// ---- the index ----

// An empty value removes.
void Set(std::string_view key, std::string_view value, Map* map) {
  if (value.empty()) {
    map->erase(std::string(key));
  } else {
    map->insert_or_assign(std::string(key), std::string(value));
  }
}

absl::Status Find(const Map& map, std::string_view key, std::string* value) {
  const auto found = map.find(key);
  if (found == map.end()) return absl::NotFoundError("");
  *value = found->second;
  return absl::OkStatus();
}

class FileIndex : public rumcask::DiskIndex {
 public:
  explicit FileIndex(std::unique_ptr<rumcask::Directory> directory)
      : directory_(std::move(directory)) {}

  // Reads what is there; NotFound if nothing is.
  absl::Status Read() {
    auto file = directory_->Open(kFile, rumcask::OpenMode::kReadOnly);
    if (!file.ok()) return file.status();
    const absl::StatusOr<uint64_t> size = (*file)->Size();
    if (!size.ok()) return size.status();
    std::string bytes(*size, '\0');
    const absl::Status status = (*file)->Read(0, bytes.data(), bytes.size());
    if (!status.ok()) return status;
    if (Decode(bytes, &entries_, &notes_)) {
      durable_notes_ = notes_;
      return absl::OkStatus();
    }
    return absl::DataLossError((*file)->name() + ": not an index, or damaged");
  }

  absl::Status Get(std::string_view key, std::string* value) const override {
    const std::shared_lock<std::shared_mutex> lock(mutex_);
    return Find(entries_, key, value);
  }

  absl::Status Scan(const rumcask::KeyRange& range, size_t limit,
                    rumcask::IndexRows* rows) const override {
    rows->Clear();
    if (!range.upper.empty() && range.lower >= range.upper) return absl::OkStatus();
    const std::shared_lock<std::shared_mutex> lock(mutex_);
    auto begin =
        range.after_lower ? entries_.upper_bound(range.lower) : entries_.lower_bound(range.lower);
    auto end = range.upper.empty() ? entries_.end() : entries_.lower_bound(range.upper);
    while (begin != end && rows->size() < limit) {
      const auto& [key, value] = range.reverse ? *--end : *begin++;
      rows->Add(key, value);
    }
    return absl::OkStatus();
  }

  absl::Status Commit(rumcask::IndexBatch* batch) override {
    const std::vector<rumcask::IndexChange>& changes = batch->changes();
    std::vector<bool> accepted(changes.size(), true);
    // Nobody else changes the map, so that looking into it here needs no lock.
    for (size_t i = 0; i < changes.size() && batch->wants_replaced(); ++i) {
      const auto found = entries_.find(changes[i].key);
      accepted[i] = batch->Accepts(i, found == entries_.end() ? "" : found->second);
    }
    const std::vector<rumcask::IndexNote> notes = batch->Notes();
    // Readers see all of it or nothing.
    const std::unique_lock<std::shared_mutex> lock(mutex_);
    for (size_t i = 0; i < changes.size(); ++i) {
      if (accepted[i]) Set(changes[i].key, changes[i].value, &entries_);
    }
    for (const rumcask::IndexNote& note : notes) Set(note.name, note.value, &notes_);
    return absl::OkStatus();
  }

  // Whatever moment the power is cut at, `index` is the old file or the new one, whole.
  absl::Status Flush() override {
    auto file = directory_->Open(kNextFile, rumcask::OpenMode::kCreateOrReplace);
    if (!file.ok()) return file.status();
    absl::Status status = (*file)->Write(0, Encode(entries_, notes_));
    if (status.ok()) status = (*file)->Sync();
    if (status.ok()) status = directory_->Rename(kNextFile, kFile);
    if (status.ok()) status = directory_->Sync();
    if (!status.ok()) return status;
    const std::unique_lock<std::shared_mutex> lock(mutex_);
    durable_notes_ = notes_;
    return absl::OkStatus();
  }

  absl::Status GetNote(std::string_view name, bool durable, std::string* value) const override {
    const std::shared_lock<std::shared_mutex> lock(mutex_);
    return Find(durable ? durable_notes_ : notes_, name, value);
  }

  uint64_t KeyCount() const override {
    const std::shared_lock<std::shared_mutex> lock(mutex_);
    return entries_.size();
  }
  bool counts_exactly() const override { return true; }
  bool reports_replaced() const override { return true; }

  // A node of the tree, a short key and a value of some ten bytes, which need no memory of their
  // own.
  uint64_t MemoryBytes() const override { return KeyCount() * 112; }
  uint64_t FileBytes() const override { return rumcask::IndexDirectoryBytes(directory_->path()); }

 private:
  const std::unique_ptr<rumcask::Directory> directory_;
  // Changed by one thread at a time.
  mutable std::shared_mutex mutex_;
  Map entries_;
  Map notes_;
  Map durable_notes_;  // those in the file
};

// ---- opening ----

absl::StatusOr<std::unique_ptr<rumcask::DiskIndex>> OpenFileIndex(
    const rumcask::DiskIndexConfig& config) {
  if (!config.read_only) {
    const absl::Status made = rumcask::MakeIndexDirectory(config.path);
    if (!made.ok()) return made;
  }
  const absl::Status checked = rumcask::CheckIndexDirectory(config.path);
  if (!checked.ok()) return checked;
  auto directory = rumcask::PosixFileSystem()->OpenDirectory(config.path);
  if (!directory.ok()) return directory.status();
  auto index = std::make_unique<FileIndex>(*std::move(directory));
  const absl::Status read = index->Read();
  // A new one begins empty.
  if (read.ok() || (absl::IsNotFound(read) && !config.read_only)) return index;
  return read;
}

}  // namespace

rumcask::KeystoreFactory FileKeystore() {
  rumcask::KeystoreFactory factory;
  factory.traits.name = "file";
  factory.traits.ordered = true;
  factory.traits.persistent = true;
  factory.open_index = OpenFileIndex;
  factory.remove_index = rumcask::RemoveIndexDirectory;
  return factory;
}

}  // namespace example
