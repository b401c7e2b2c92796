#include "keystores/flat/flat_keystore.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"

#include "core/plugin/keystore.h"
#include "core/system/mutex.h"
#include "core/versions/counted_allocator.h"
#include "core/versions/scan_work.h"
#include "core/versions/snapshot_registry.h"
#include "keystores/flat/flat_table.h"
#include "keystores/flat/flat_undo.h"

namespace rumcask {
namespace {

// Enough that a growing shard, which hashes its keys anew, holds a writer up for no more than half
// a millisecond at twenty million keys, and that readers hardly ever meet.
constexpr size_t kShards = 4096;
constexpr uint64_t kFlatUndoBytes = HeapBlockBytes(sizeof(FlatUndo));
// While loading, the location of a delete: no record has length 0.
constexpr uint64_t kLength = (uint64_t{1} << Location::kLengthBits) - 1;

bool IsDelete(Location location) { return (location.bits() & kLength) == 0; }
Location OfEntry(const LoadEntry& entry) {
  return entry.is_delete ? Location::FromBits(entry.location.bits() & ~kLength) : entry.location;
}

absl::Status NotFound() { return absl::Status(absl::StatusCode::kNotFound, ""); }

// Lines of cache of its own, as every Get writes its lock.
struct alignas(64) Shard {
  mutable Mutex lock;
  FlatTable table ABSL_GUARDED_BY(lock);
  // What snapshots see, if it is something else; null if there is nothing.
  std::unique_ptr<FlatUndo> undo ABSL_GUARDED_BY(lock);
  bool holds_deletes ABSL_GUARDED_BY(lock) = false;
};

// A set of shards, a bit for each. Whoever looks for its members passes 64 others in one step.
class ShardSet {
 public:
  // Members among the shards 64 * i to 64 * i + 63.
  uint64_t Word(size_t i) const { return words_[i].load(); }
  void Remove(size_t shard) { words_[shard / 64].fetch_and(~(uint64_t{1} << shard % 64)); }
  // Cheap if it is a member already.
  void Add(size_t shard) {
    std::atomic<uint64_t>& word = words_[shard / 64];
    const uint64_t bit = uint64_t{1} << shard % 64;
    if ((word.load(std::memory_order_relaxed) & bit) == 0) word.fetch_or(bit);
  }

 private:
  std::atomic<uint64_t> words_[kShards / 64] = {};
};

// Shards of equal size would all double at once, and the memory per key would swing by a factor of
// two. For a steady rate of doublings the density of shards of size s must fall as 1 / s^2: with u
// uniform in [0, 1), taken from the half of the hash that chooses no bucket, that is the shard
// 2 - 2^(1 - u), here u + u (1 - u) (0.386 - 0.079 u), which is within 0.001 of it.
size_t ShardIndex(const PreparedKey& key) {
  const double u = static_cast<double>(key.digest[0] >> 32) / 4294967296.0;
  return static_cast<size_t>((u + u * (1 - u) * (0.386 - 0.079 * u)) * kShards);
}

class Flat : public Keystore {
 public:
  explicit Flat(const KeystoreConfig& config)
      : snapshots_({config.max_undo_bytes, config.background},
                   [this](uint64_t ended, size_t count) { Forget(ended, count); }),
        undo_lists_(snapshots_.undo_bytes()),
        shards_(new Shard[kShards]) {}
  ~Flat() override { snapshots_.Stop(); }

  void Digest(PreparedKey* key) const override { key->digest[0] = FlatTable::Hash(key->key); }
  void Prefetch(const PreparedKey& key) const override { __builtin_prefetch(&ShardOf(key)); }

  absl::Status Get(const PreparedKey& key, Location* location) const override {
    const Shard& shard = ShardOf(key);
    MutexLock lock(shard.lock);
    const FlatTable::Slot* const slot = shard.table.Find(key);
    if (slot == nullptr) return NotFound();
    *location = slot->location();
    return absl::OkStatus();
  }

  Location Set(const PreparedKey& key, Location location, uint64_t /*sequence*/) override {
    if (snapshots_.any()) KeepForSnapshots(key);
    Shard& shard = ShardOf(key);
    MutexLock lock(shard.lock);
    FlatTable::Slot* const slot = shard.table.Find(key);
    if (slot == nullptr) {
      if (!location.exists()) return Location();
      shard.table.Insert(key, location);
      occupied_.Add(IndexOf(shard));
      keys_.fetch_add(1, std::memory_order_relaxed);
      return Location();
    }
    const Location before = slot->location();
    if (location.exists()) {
      slot->set_location(location);
    } else {
      shard.table.Erase(key);
      if (shard.table.size() == 0) occupied_.Remove(IndexOf(shard));
      keys_.fetch_sub(1, std::memory_order_relaxed);
    }
    return before;
  }

  bool Relocate(const PreparedKey& key, Location from, Location to) override {
    Shard& shard = ShardOf(key);
    MutexLock lock(shard.lock);
    FlatTable::Slot* const slot = shard.table.Find(key);
    if (slot == nullptr || slot->location() != from) return false;
    slot->set_location(to);
    return true;
  }

  void Load(absl::Span<const LoadEntry> entries, LoadContext* context) override;
  void FinishLoad() override;

  std::shared_ptr<const KeystoreSnapshot> TakeSnapshot(uint64_t sequence) override {
    return snapshots_.Take(sequence);
  }

  absl::Status GetAt(const KeystoreSnapshot& snapshot, const PreparedKey& key,
                     Location* location) const override {
    const Shard& shard = ShardOf(key);
    MutexLock lock(shard.lock);
    absl::Status status = SnapshotRegistry::Check(snapshot);
    if (!status.ok()) return status;
    if (shard.undo == nullptr || !shard.undo->Find(key.key, snapshot.sequence(), location)) {
      const FlatTable::Slot* const slot = shard.table.Find(key);
      *location = slot == nullptr ? Location() : slot->location();
    }
    return location->exists() ? absl::OkStatus() : NotFound();
  }

  SnapshotUsage GetSnapshotUsage() const override { return snapshots_.Usage(); }
  void VisitKept(absl::FunctionRef<void(Location)> visit) const override {
    for (size_t i = 0; i < kShards; ++i) {
      if ((undone_.Word(i / 64) >> i % 64 & 1) == 0) continue;
      Shard& shard = shards_[i];
      MutexLock lock(shard.lock);
      if (shard.undo != nullptr) shard.undo->VisitLocations(visit);
    }
  }
  bool GiveUpOldestSnapshot() override { return snapshots_.GiveUpOldest(); }
  void FinishForgetting() override { snapshots_.Finish(); }

  std::unique_ptr<KeystoreCursor> NewCursor(
      std::shared_ptr<const KeystoreSnapshot> snapshot) const override {
    return std::make_unique<Cursor>(this, std::move(snapshot));
  }

  uint64_t KeyCount() const override { return keys_.load(std::memory_order_relaxed); }

  uint64_t MemoryBytes() const override {
    uint64_t bytes = kShards * sizeof(Shard);
    for (const Shard& shard : Shards()) {
      MutexLock lock(shard.lock);
      bytes += shard.table.memory_bytes();
    }
    return bytes;
  }

 private:
  // A shard at a time: a key never leaves its shard.
  class Cursor : public KeystoreCursor {
   public:
    Cursor(const Flat* keystore, std::shared_ptr<const KeystoreSnapshot> snapshot)
        : keystore_(keystore), snapshot_(std::move(snapshot)) {}

    absl::Status Next(std::vector<Location>* locations) override {
      locations->clear();
      for (; locations->empty(); ++next_) {
        next_ = keystore_->NextOccupied(next_, snapshot_.get());
        if (next_ == kShards) break;
        const Shard& shard = keystore_->shards_[next_];
        MutexLock lock(shard.lock);
        if (snapshot_ != nullptr) {
          absl::Status status = SnapshotRegistry::Check(*snapshot_);
          if (!status.ok()) return status;
        }
        ++ThreadScanWork().fetches;
        ThreadScanWork().steps += 1 + shard.table.size();
        Copy(shard.table, snapshot_ != nullptr ? shard.undo.get() : nullptr, locations);
      }
      // If the snapshot was given up, what was kept for it is gone: then this is not the end of
      // what it saw.
      return snapshot_ == nullptr ? absl::OkStatus() : SnapshotRegistry::Check(*snapshot_);
    }

   private:
    // `undo` is null if all is as the table says.
    void Copy(const FlatTable& table, const FlatUndo* undo, std::vector<Location>* locations) {
      locations->reserve(table.size());
      table.ForEach([&](std::string_view key, Location location) {
        Location undone;
        if (undo == nullptr || !undo->Find(key, snapshot_->sequence(), &undone)) {
          locations->push_back(location);
        }
      });
      if (undo == nullptr) return;
      undo->ForEach(snapshot_->sequence(), [&](Location location) {
        if (location.exists()) locations->push_back(location);
      });
    }

    const Flat* const keystore_;
    const std::shared_ptr<const KeystoreSnapshot> snapshot_;
    size_t next_ = 0;
  };

  Shard& ShardOf(const PreparedKey& key) const { return shards_[ShardIndex(key)]; }
  size_t IndexOf(const Shard& shard) const { return static_cast<size_t>(&shard - shards_.get()); }
  absl::Span<Shard> Shards() const { return {shards_.get(), kShards}; }
  // The first shard from `from` on that may have something for a walk; kShards if there is none.
  size_t NextOccupied(size_t from, const KeystoreSnapshot* snapshot) const;

  void KeepForSnapshots(const PreparedKey& key);
  void AddUndo(Shard* shard, const PreparedKey& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard->lock);
  void Forget(uint64_t ended, size_t count);
  void ForgetOne(uint64_t ended, const FlatUndoPlace& place);

  std::atomic<uint64_t> keys_{0};
  // Those that have keys, and those that have undo records, so that a walk need not look at others.
  // Changed under the shard's lock.
  ShardSet occupied_;
  ShardSet undone_;
  // The newest snapshot that has got an undo record: a later one sees what is there now.
  std::atomic<uint64_t> last_undo_{0};
  // Counts what the undo records and lists take, so it is destroyed after them.
  SnapshotRegistry snapshots_;
  // Comes after a shard's lock.
  Mutex undo_lists_mutex_;
  FlatUndoLists undo_lists_ ABSL_GUARDED_BY(undo_lists_mutex_);
  // Of Forget alone.
  std::vector<FlatUndoPlace> forgotten_;
  const std::unique_ptr<Shard[]> shards_;
};

// Of a key that a snapshot sees and that is removed, the undo record was added before the key went.
// So whoever finds its shard without keys, and looks into undone_ afterwards, finds it there.
size_t Flat::NextOccupied(size_t from, const KeystoreSnapshot* snapshot) const {
  for (size_t i = from / 64; i < kShards / 64; ++i) {
    ++ThreadScanWork().steps;
    uint64_t bits = occupied_.Word(i);
    if (snapshot != nullptr && last_undo_.load() >= snapshot->sequence()) bits |= undone_.Word(i);
    if (i == from / 64) bits &= ~uint64_t{0} << from % 64;
    if (bits != 0) return i * 64 + static_cast<size_t>(__builtin_ctzll(bits));
  }
  return kShards;
}

// Under the lock by itself, before Set takes it again: nobody else changes the key in between,
// and whoever looks there sees twice the same.
void Flat::KeepForSnapshots(const PreparedKey& key) {
  {
    Shard& shard = ShardOf(key);
    MutexLock lock(shard.lock);
    AddUndo(&shard, key);
  }
  snapshots_.KeepUp();
}

void Flat::AddUndo(Shard* shard, const PreparedKey& key) {
  constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();
  uint64_t seen_from = 0;
  if (shard->undo != nullptr) {
    if (shard->undo->HasSince(key.key, snapshots_.newest())) return;
    seen_from = shard->undo->SeenFrom(key.key, kNever);
  }
  const FlatUndoKey kept(key.key, snapshots_.undo_bytes());
  std::optional<uint64_t> owner;
  {
    MutexLock lock(undo_lists_mutex_);
    // None, or an older one, if the newest has just ended.
    owner = snapshots_.Assign(seen_from, kNever);
    if (owner.has_value()) undo_lists_.Add(*owner, {IndexOf(*shard), kept});
  }
  if (!owner.has_value()) return;
  if (shard->undo == nullptr) {
    shard->undo = std::make_unique<FlatUndo>(snapshots_.undo_bytes());
    snapshots_.undo_bytes()->fetch_add(kFlatUndoBytes, std::memory_order_relaxed);
    undone_.Add(IndexOf(*shard));
  }
  last_undo_.store(*owner);
  const FlatTable::Slot* const slot = shard->table.Find(key);
  shard->undo->Add(kept, *owner, slot == nullptr ? Location() : slot->location());
}

void Flat::Forget(uint64_t ended, size_t count) {
  {
    MutexLock lock(undo_lists_mutex_);
    undo_lists_.Take(ended, count, &forgotten_);
  }
  for (const FlatUndoPlace& place : forgotten_) ForgetOne(ended, place);
  forgotten_.clear();
}

void Flat::ForgetOne(uint64_t ended, const FlatUndoPlace& place) {
  Shard& shard = shards_[place.shard];
  const std::string_view key = place.key.view();
  MutexLock lock(shard.lock);
  FlatUndo& undo = *shard.undo;
  {
    MutexLock lists(undo_lists_mutex_);
    const std::optional<uint64_t> owner = snapshots_.Reassign(undo.SeenFrom(key, ended), ended);
    if (owner.has_value()) {
      undo_lists_.Add(*owner, place);
      return undo.Move(place.key, ended, *owner);
    }
  }
  undo.Remove(key, ended);
  if (!undo.empty()) return;
  shard.undo.reset();
  undone_.Remove(place.shard);
  snapshots_.undo_bytes()->fetch_sub(kFlatUndoBytes, std::memory_order_relaxed);
}

void Flat::Load(absl::Span<const LoadEntry> entries, LoadContext* context) {
  for (const LoadEntry& entry : entries) {
    PreparedKey key(entry.key);
    Digest(&key);
    const Location location = OfEntry(entry);
    Shard& shard = ShardOf(key);
    MutexLock lock(shard.lock);
    shard.holds_deletes |= entry.is_delete;
    FlatTable::Slot* const known = shard.table.Find(key);
    if (known == nullptr) {
      shard.table.Insert(key, location);
      occupied_.Add(IndexOf(shard));
      continue;
    }
    Location loser = known->location();
    if (context->IsNewer(entry, loser)) {
      known->set_location(location);
    } else {
      loser = location;
    }
    if (!IsDelete(loser)) context->Superseded(loser);
  }
}

void Flat::FinishLoad() {
  uint64_t keys = 0;
  for (Shard& shard : Shards()) {
    MutexLock lock(shard.lock);
    if (shard.holds_deletes) {
      shard.table.EraseIf([](Location location) { return IsDelete(location); });
      shard.holds_deletes = false;
      if (shard.table.size() == 0) occupied_.Remove(IndexOf(shard));
    }
    keys += shard.table.size();
  }
  keys_.store(keys, std::memory_order_relaxed);
}

}  // namespace

KeystoreFactory FlatKeystore() {
  KeystoreFactory factory;
  factory.traits.name = "flat";
  factory.create = [](const KeystoreConfig& config) -> absl::StatusOr<std::unique_ptr<Keystore>> {
    return std::unique_ptr<Keystore>(new Flat(config));
  };
  return factory;
}

}  // namespace rumcask
