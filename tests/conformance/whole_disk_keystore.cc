#include "tests/conformance/whole_disk_keystore.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

#include "core/format/format.h"
#include "core/format/limits.h"
#include "core/index/buffered_index.h"
#include "core/log/log.h"
#include "core/plugin/disk_index.h"
#include "core/plugin/keystore.h"
#include "tests/crash_kit/crash_file_system.h"

namespace rumcask {

struct LogTestPeer {
  // Adds a segment that has no file.
  static void AddSegment(Log* log, uint64_t id) {
    log->table_.Add(
        std::make_shared<Segment>(id, *log->table_.Reserve(), Stream::kUser, /*seed=*/0));
  }
};

namespace {

constexpr uint32_t kSlots = 20000;

// A buffer holds a few dozen keys.
constexpr uint64_t kBufferBytes = 6000;

void Require(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::abort();
}

// The tests use locations where a segment's header is, so they are shifted.
Location ToLog(Location location) {
  if (!location.exists()) return location;
  return Location::Make(location.slot(), location.offset() + kSegmentHeaderBytes,
                        location.length());
}
Location FromLog(Location location) {
  if (!location.exists()) return location;
  return Location::Make(location.slot(), location.offset() - kSegmentHeaderBytes,
                        location.length());
}

// A log that is always durable and whose segments have no bytes.
class EmptyLog {
 public:
  EmptyLog() : directory_(Open(&file_system_)), segments_(directory_.get(), Config(), false) {
    RecoveredLog log;
    log.durable_sequence = uint64_t{1} << 40;
    Require(segments_.Open(std::move(log)));
    for (uint32_t slot = 0; slot < kSlots; ++slot) {
      LogTestPeer::AddSegment(&segments_, slot + 1);
    }
  }
  Log& segments() { return segments_; }

 private:
  static std::unique_ptr<Directory> Open(FileSystem* file_system) {
    auto directory = file_system->OpenDirectory("/crash");
    Require(directory.status());
    return *std::move(directory);
  }
  static Log::Config Config() {
    Log::Config config = {};
    config.segment_bytes = kMinSegmentBytes;
    config.max_open_files = 16;
    config.process_mappings = 1000;
    config.mapping_budget = std::make_shared<MappingBudget>();
    return config;
  }

  CrashFileSystem file_system_;
  const std::unique_ptr<Directory> directory_;
  Log segments_;
};

class WholeKeystore : public Keystore {
 public:
  WholeKeystore(const KeystoreFactory& on_disk, bool background, const KeystoreConfig& config)
      : disk_(OpenIndex(on_disk), &log_.segments(), ConfigOf(background, config), [] {}) {}

  void Digest(PreparedKey* key) const override { disk_.Digest(key); }

  absl::Status Get(const PreparedKey& key, Location* location) const override {
    const absl::Status status = disk_.Get(key, location);
    if (status.ok()) *location = FromLog(*location);
    return status;
  }

  Location Set(const PreparedKey& key, Location location, uint64_t sequence) override {
    Require(disk_.WaitForRoom());
    Location before;
    bool decided = false;
    while (!decided) {
      CurrentState seen;
      Require(disk_.ReadCurrent(key, &seen));
      MutexLock lock(log_.segments().write_mutex());
      decided = disk_.Revalidate(key, seen, &before);
      if (!decided) continue;
      disk_.Set(key, ToLog(location), sequence);
      // In a log without records nobody needs the location of the newest record.
      disk_.OnWritten(sequence, Location(), location.length());
    }
    disk_.AfterWrite();
    keys_ += location.exists() && !before.exists();
    keys_ -= !location.exists() && before.exists();
    return FromLog(before);
  }

  // Alternates between moving the record alone and moving it as code does that moves many.
  bool Relocate(const PreparedKey& key, Location from, Location to) override {
    if (relocations_++ % 5 < 2) {
      MutexLock lock(log_.segments().write_mutex());
      return disk_.Relocate(key, ToLog(from), ToLog(to));
    }
    Relocation relocation = Relocation::kNone;
    bool decided = false;
    while (!decided) {
      CurrentState seen;
      Require(disk_.ReadCurrent(key, &seen));
      MutexLock lock(log_.segments().write_mutex());
      decided = disk_.RelocateSeen(key, seen, ToLog(from), ToLog(to), &relocation);
    }
    return relocation != Relocation::kNone;
  }

  void Load(absl::Span<const LoadEntry> entries, LoadContext* context) override {
    std::vector<LoadEntry> moved(entries.begin(), entries.end());
    for (LoadEntry& entry : moved) entry.location = ToLog(entry.location);
    disk_.Load(moved, context);
  }
  void FinishLoad() override {
    disk_.FinishLoad();
    KeyBlock block;
    Require(disk_.Scan(*disk_.TakeSnapshot(UINT64_MAX), KeyRange(), SIZE_MAX, &block));
    keys_ = block.size();
  }

  std::shared_ptr<const KeystoreSnapshot> TakeSnapshot(uint64_t sequence) override {
    MutexLock lock(log_.segments().write_mutex());
    return disk_.TakeSnapshot(sequence);
  }
  absl::Status GetAt(const KeystoreSnapshot& snapshot, const PreparedKey& key,
                     Location* location) const override {
    const absl::Status status = disk_.GetAt(snapshot, key, location);
    if (status.ok()) *location = FromLog(*location);
    return status;
  }
  SnapshotUsage GetSnapshotUsage() const override { return disk_.GetSnapshotUsage(); }
  void VisitKept(absl::FunctionRef<void(Location)> visit) const override {
    disk_.VisitKept([&](Location location) { visit(FromLog(location)); });
  }
  void FinishForgetting() override { disk_.FinishForgetting(); }
  absl::Status Scan(const KeystoreSnapshot& snapshot, const KeyRange& range, size_t limit,
                    KeyBlock* block) const override {
    block->Clear();
    KeyBlock found;
    const absl::Status status = disk_.Scan(snapshot, range, limit, &found);
    for (size_t i = 0; status.ok() && i < found.size(); ++i) {
      block->Add(found.key(i), FromLog(found.location(i)), found.sequence(i));
    }
    return status;
  }
  uint64_t KeyCount() const override { return keys_; }
  uint64_t MemoryBytes() const override { return disk_.MemoryBytes(); }

 private:
  static std::unique_ptr<DiskIndex> OpenIndex(const KeystoreFactory& on_disk) {
    auto index = on_disk.open_index(DiskIndexConfig());
    Require(index.status());
    return *std::move(index);
  }
  static BufferedIndex::Config ConfigOf(bool background, const KeystoreConfig& config) {
    BufferedIndex::Config made = {};
    made.path = "index";
    made.buffer_bytes = kBufferBytes;
    made.replay_bytes = UINT64_MAX;
    made.max_undo_bytes = config.max_undo_bytes;
    made.background = background;
    return made;
  }

  EmptyLog log_;
  BufferedIndex disk_;
  std::atomic<uint64_t> keys_{0};
  uint64_t relocations_ = 0;
};

}  // namespace

KeystoreFactory WholeDiskKeystore(const KeystoreFactory& on_disk, bool background) {
  KeystoreFactory factory;
  factory.traits = on_disk.traits;
  factory.create = [on_disk, background](
                       const KeystoreConfig& config) -> absl::StatusOr<std::unique_ptr<Keystore>> {
    // Begins with an empty index.
    Require(on_disk.remove_index(""));
    return std::unique_ptr<Keystore>(new WholeKeystore(on_disk, background, config));
  };
  return factory;
}

}  // namespace rumcask
