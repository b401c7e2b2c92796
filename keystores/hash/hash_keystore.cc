#include "keystores/hash/hash_keystore.h"

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
#include "core/system/random.h"
#include "core/versions/counted_allocator.h"
#include "core/versions/scan_work.h"
#include "core/versions/snapshot_registry.h"
#include "keystores/hash/digest_table.h"
#include "keystores/hash/shard_lock.h"
#include "keystores/hash/shard_undo.h"
#include "keystores/hash/siphash.h"
#include "keystores/hash/table_arena.h"
#include "keystores/hash/undo_lists.h"

namespace rumcask {
namespace {

// With that many, one doubling moves a four-thousandth of the keys, and readers hardly ever meet.
constexpr size_t kShards = 4096;
// The size of a bucket.
constexpr size_t kLineBytes = 64;
// Load works in groups of about as many keys as a core can have cache misses in flight.
constexpr size_t kGroup = 32;

constexpr uint64_t kShardUndoBytes = HeapBlockBytes(sizeof(ShardUndo));

// Has a cache line of its own, because every Get writes its lock.
struct alignas(64) Shard {
  mutable ShardLock lock;
  bool holds_deletes ABSL_GUARDED_BY(lock) = false;
  DigestTable table ABSL_GUARDED_BY(lock);
  // What snapshots see where that differs from the table; null if there is nothing.
  std::unique_ptr<ShardUndo> undo ABSL_GUARDED_BY(lock);
};

// Marks some of the shards, so that a walk over those need not visit all shards.
class ShardMarks {
 public:
  // The marks of shards 64 * i to 64 * i + 63.
  uint64_t Word(size_t i) const { return words_[i].load(); }
  void Clear(size_t shard) { words_[shard / 64].fetch_and(~(uint64_t{1} << shard % 64)); }
  void Set(size_t shard) {
    std::atomic<uint64_t>& word = words_[shard / 64];
    const uint64_t bit = uint64_t{1} << shard % 64;
    if ((word.load(std::memory_order_relaxed) & bit) == 0) word.fetch_or(bit);
  }

 private:
  std::atomic<uint64_t> words_[kShards / 64] = {};
};

// The expected sizes of the shards are spread over an octave. So at any time some shards are about
// to double, and the memory per key stays the same while the database grows; equal shards would all
// double at once, and memory would swing between 24 and 48 bytes per key. To double at a steady
// rate, the density of shards of size s must fall as 1 / s^2: with u uniform in [0, 1), the shard
// is 2 - 2^(1 - u), here approximated as u + u (1 - u) (0.386 - 0.079 u), which is within 0.001 of
// it.
size_t ShardIndex(const PreparedKey& key) {
  constexpr uint64_t kOne = uint64_t{1} << 32;
  constexpr auto kBend = static_cast<uint64_t>(0.386 * kOne);
  constexpr auto kSlope = static_cast<uint64_t>(0.079 * kOne);
  const uint64_t u = key.digest[0] >> 32;
  const uint64_t bend = kBend - (kSlope * u >> 32);
  const uint64_t x = u + ((u * (kOne - u) >> 32) * bend >> 32);
  return x * kShards >> 32;
}

class HashTable : public Keystore {
 public:
  HashTable(const SipKey& secret, const KeystoreConfig& config)
      : secret_(secret),
        snapshots_({config.max_undo_bytes, config.background},
                   [this](uint64_t ended, size_t count) { Forget(ended, count); }),
        undo_lists_(snapshots_.undo_bytes()),
        shards_(new Shard[kShards]) {}
  ~HashTable() override { snapshots_.Stop(); }

  void Digest(PreparedKey* key) const override {
    // One compression round and three finalization rounds, as in the hash tables of Rust and Ruby,
    // are enough because the digests are never shown to anyone.
    SipHash<1, 3>::Digest128(secret_, key->key, key->digest);
  }

  void Prefetch(const PreparedKey& key) const override {
    // The lock is not taken, because taking it would wait for all earlier stores, including those
    // into the log.
    const Shard& shard = ShardOf(key);
    ABSL_TS_UNCHECKED_READ(shard.table).Prefetch(StoredDigest(key));
  }

  absl::Status Get(const PreparedKey& key, Location* location) const override {
    const Shard& shard = ShardOf(key);
    ShardLocked lock(shard.lock);
    const PackedLocation* const place = shard.table.Find(StoredDigest(key));
    if (place == nullptr) return absl::Status(absl::StatusCode::kNotFound, "");
    *location = place->location();
    return absl::OkStatus();
  }

  Location Set(const PreparedKey& key, Location location, uint64_t /*sequence*/) override {
    if (snapshots_.any()) KeepForSnapshots(key);
    Shard& shard = ShardOf(key);
    ShardLocked lock(shard.lock);
    const StoredDigest digest(key);
    PackedLocation* const place = shard.table.Find(digest);
    if (place == nullptr) {
      if (!location.exists()) return Location();
      shard.table.Insert(digest, PackedLocation(location), &arena_);
      if (shard.table.size() == 1) live_.Set(IndexOf(shard));
      AddKeys(1);
      return Location();
    }
    const Location before = place->location();
    if (location.exists()) {
      *place = PackedLocation(location);
    } else {
      shard.table.Erase(digest);
      shard.table.ShrinkIfSparse(&arena_);
      if (shard.table.size() == 0) live_.Clear(IndexOf(shard));
      AddKeys(-1);
    }
    return before;
  }

  bool Relocate(const PreparedKey& key, Location from, Location to) override {
    Shard& shard = ShardOf(key);
    ShardLocked lock(shard.lock);
    PackedLocation* const place = shard.table.Find(StoredDigest(key));
    if (place == nullptr || place->location() != from) return false;
    *place = PackedLocation(to);
    return true;
  }

  std::shared_ptr<const KeystoreSnapshot> TakeSnapshot(uint64_t sequence) override {
    return snapshots_.Take(sequence);
  }

  absl::Status GetAt(const KeystoreSnapshot& snapshot, const PreparedKey& key,
                     Location* location) const override {
    const Shard& shard = ShardOf(key);
    ShardLocked lock(shard.lock);
    absl::Status status = SnapshotRegistry::Check(snapshot);
    if (!status.ok()) return status;
    const StoredDigest digest(key);
    if (shard.undo == nullptr || !shard.undo->Find(digest, snapshot.sequence(), location)) {
      const PackedLocation* const place = shard.table.Find(digest);
      *location = place == nullptr ? Location() : place->location();
    }
    return location->exists() ? absl::OkStatus() : absl::Status(absl::StatusCode::kNotFound, "");
  }

  SnapshotUsage GetSnapshotUsage() const override { return snapshots_.Usage(); }
  void VisitKept(absl::FunctionRef<void(Location)> visit) const override {
    for (size_t i = 0; i < kShards; ++i) {
      if ((undone_.Word(i / 64) >> i % 64 & 1) == 0) continue;
      Shard& shard = shards_[i];
      ShardLocked lock(shard.lock);
      if (shard.undo != nullptr) shard.undo->VisitLocations(visit);
    }
  }
  bool GiveUpOldestSnapshot() override { return snapshots_.GiveUpOldest(); }
  void FinishForgetting() override { snapshots_.Finish(); }

  void Load(absl::Span<const LoadEntry> entries, LoadContext* context) override;
  void FinishLoad() override;

  uint64_t KeyCount() const override { return keys_.load(std::memory_order_relaxed); }

  uint64_t MemoryBytes() const override {
    uint64_t bytes = kShards * sizeof(Shard);
    for (const Shard& shard : Shards()) {
      ShardLocked lock(shard.lock);
      bytes += shard.table.memory_bytes();
    }
    return bytes;
  }

  std::unique_ptr<KeystoreCursor> NewCursor(
      std::shared_ptr<const KeystoreSnapshot> snapshot) const override {
    return std::make_unique<Cursor>(this, std::move(snapshot));
  }

 private:
  // Yields one shard at a time, because a key never leaves its shard.
  class Cursor : public KeystoreCursor {
   public:
    Cursor(const HashTable* keystore, std::shared_ptr<const KeystoreSnapshot> snapshot)
        : keystore_(keystore), snapshot_(std::move(snapshot)) {}

    absl::Status Next(std::vector<Location>* locations) override {
      locations->clear();
      while (locations->empty()) {
        next_ = keystore_->NextOccupied(next_, snapshot_.get());
        if (next_ == kShards) {
          // If the snapshot was given up, its undo records are gone and no longer mark their
          // shards, so that this may not be the end of what it saw.
          return snapshot_ == nullptr ? absl::OkStatus() : SnapshotRegistry::Check(*snapshot_);
        }
        const Shard& shard = keystore_->shards_[next_++];
        ShardLocked lock(shard.lock);
        ThreadScanWork().steps += 1 + shard.table.memory_bytes() / kLineBytes;
        ++ThreadScanWork().fetches;
        if (snapshot_ != nullptr) {
          absl::Status status = SnapshotRegistry::Check(*snapshot_);
          if (!status.ok()) return status;
        }
        locations->reserve(shard.table.size());
        if (snapshot_ == nullptr || shard.undo == nullptr) {
          shard.table.ForEach([&](const StoredDigest&, const PackedLocation& place) {
            locations->push_back(place.location());
          });
        } else {
          CopyAt(snapshot_->sequence(), shard.table, *shard.undo, locations);
        }
      }
      return absl::OkStatus();
    }

   private:
    static void CopyAt(uint64_t epoch, const DigestTable& table, const ShardUndo& undo,
                       std::vector<Location>* locations) {
      table.ForEach([&](const StoredDigest& digest, const PackedLocation& place) {
        Location undone;
        if (!undo.Find(digest, epoch, &undone)) locations->push_back(place.location());
      });
      undo.ForEach(epoch, [&](const StoredDigest&, Location location) {
        if (location.exists()) locations->push_back(location);
      });
    }

    const HashTable* const keystore_;
    const std::shared_ptr<const KeystoreSnapshot> snapshot_;
    size_t next_ = 0;
  };

  Shard& ShardOf(const PreparedKey& key) const { return shards_[ShardIndex(key)]; }
  size_t IndexOf(const Shard& shard) const { return static_cast<size_t>(&shard - shards_.get()); }
  // The first shard from `from` on that may have something for the walk, or kShards.
  size_t NextOccupied(size_t from, const KeystoreSnapshot* snapshot) const;
  absl::Span<Shard> Shards() const { return {shards_.get(), kShards}; }

  // No atomic increment is needed, because one thread at a time calls Set.
  void AddKeys(int64_t n) {
    keys_.store(keys_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }

  void KeepForSnapshots(const PreparedKey& key);
  void AddUndo(Shard* shard, const StoredDigest& digest) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard->lock);
  void Forget(uint64_t ended, size_t count);
  void ForgetOne(uint64_t ended, const UndoPlace& place);
  void LoadOne(Shard* shard, const PreparedKey& key, const LoadEntry& entry, LoadContext* context)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard->lock);

  const SipKey secret_;
  TableArena arena_;
  std::atomic<uint64_t> keys_{0};
  // The shards that have keys, and the shards that have undo records. A walk skips the others, of
  // which there may be many more. Changed under the shard's lock.
  ShardMarks live_;
  ShardMarks undone_;
  // The newest snapshot that an undo record was added for. A later snapshot sees what the table
  // has.
  std::atomic<uint64_t> last_undo_{0};
  SnapshotRegistry snapshots_;
  // Acquired after a shard's lock.
  Mutex undo_lists_mutex_;
  UndoLists undo_lists_ ABSL_GUARDED_BY(undo_lists_mutex_);
  // Used by Forget alone.
  std::vector<UndoPlace> forgotten_;
  const std::unique_ptr<Shard[]> shards_;
};

// If a key that the snapshot sees was removed, its shard was marked as having undo records before
// it was marked as empty. So a thread that sees the second mark also sees the first.
size_t HashTable::NextOccupied(size_t from, const KeystoreSnapshot* snapshot) const {
  for (size_t i = from / 64; i < kShards / 64; ++i) {
    ++ThreadScanWork().steps;
    uint64_t bits = live_.Word(i);
    if (snapshot != nullptr && last_undo_.load() >= snapshot->sequence()) bits |= undone_.Word(i);
    if (i == from / 64) bits &= ~uint64_t{0} << from % 64;
    if (bits != 0) return i * 64 + static_cast<size_t>(__builtin_ctzll(bits));
  }
  return kShards;
}

// Takes the shard's lock separately, before Set takes it. Nobody else changes the key in between,
// and a reader that comes in between sees the same location in the undo record and in the table.
void HashTable::KeepForSnapshots(const PreparedKey& key) {
  {
    Shard& shard = ShardOf(key);
    ShardLocked lock(shard.lock);
    AddUndo(&shard, StoredDigest(key));
  }
  snapshots_.KeepUp();
}

void HashTable::AddUndo(Shard* shard, const StoredDigest& digest) {
  constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();
  uint64_t seen_from = 0;
  if (shard->undo != nullptr) {
    if (shard->undo->HasSince(digest, snapshots_.newest())) return;
    seen_from = shard->undo->SeenFrom(digest, kNever);
  }
  std::optional<uint64_t> owner;
  {
    MutexLock lock(undo_lists_mutex_);
    // If the newest snapshot has just ended, the owner is an older one or none.
    owner = snapshots_.Assign(seen_from, kNever);
    if (owner.has_value()) {
      undo_lists_.Add(*owner, {IndexOf(*shard), digest});
    }
  }
  if (!owner.has_value()) return;
  if (shard->undo == nullptr) {
    shard->undo = std::make_unique<ShardUndo>(snapshots_.undo_bytes());
    snapshots_.undo_bytes()->fetch_add(kShardUndoBytes, std::memory_order_relaxed);
    undone_.Set(IndexOf(*shard));
  }
  last_undo_.store(*owner);
  const PackedLocation* const place = shard->table.Find(digest);
  shard->undo->Add(digest, *owner, place == nullptr ? Location() : place->location());
}

void HashTable::Forget(uint64_t ended, size_t count) {
  {
    MutexLock lock(undo_lists_mutex_);
    undo_lists_.Take(ended, count, &forgotten_);
  }
  for (const UndoPlace& place : forgotten_) ForgetOne(ended, place);
}

void HashTable::ForgetOne(uint64_t ended, const UndoPlace& place) {
  Shard& shard = shards_[place.shard];
  const StoredDigest digest = place.digest();
  ShardLocked lock(shard.lock);
  ShardUndo& undo = *shard.undo;
  {
    MutexLock lists(undo_lists_mutex_);
    const std::optional<uint64_t> owner = snapshots_.Reassign(undo.SeenFrom(digest, ended), ended);
    if (owner.has_value()) {
      undo_lists_.Add(*owner, place);
      return undo.Move(digest, ended, *owner);
    }
  }
  undo.Remove(digest, ended);
  if (!undo.empty()) return;
  shard.undo.reset();
  undone_.Clear(place.shard);
  snapshots_.undo_bytes()->fetch_sub(kShardUndoBytes, std::memory_order_relaxed);
}

void HashTable::LoadOne(Shard* shard, const PreparedKey& key, const LoadEntry& entry,
                        LoadContext* context) {
  const PackedLocation place = PackedLocation::Of(entry);
  shard->holds_deletes |= entry.is_delete;
  const StoredDigest digest(key);
  PackedLocation* const known = shard->table.Find(digest);
  if (known == nullptr) {
    live_.Set(IndexOf(*shard));
    return shard->table.Insert(digest, place, &arena_);
  }
  PackedLocation loser = *known;
  if (context->IsNewer(entry, loser.location())) {
    *known = place;
  } else {
    loser = place;
  }
  if (!loser.is_delete()) context->Superseded(loser.location());
}

void HashTable::Load(absl::Span<const LoadEntry> entries, LoadContext* context) {
  PreparedKey keys[kGroup];
  for (size_t begin = 0; begin < entries.size(); begin += kGroup) {
    const size_t count = std::min(kGroup, entries.size() - begin);
    for (size_t i = 0; i < count; ++i) {
      keys[i].key = entries[begin + i].key;
      Digest(&keys[i]);
      Prefetch(keys[i]);
    }
    for (size_t i = 0; i < count; ++i) {
      Shard& shard = ShardOf(keys[i]);
      ShardLocked lock(shard.lock);
      LoadOne(&shard, keys[i], entries[begin + i], context);
    }
  }
}

void HashTable::FinishLoad() {
  uint64_t keys = 0;
  for (Shard& shard : Shards()) {
    ShardLocked lock(shard.lock);
    if (shard.holds_deletes) {
      shard.table.EraseIf([](const PackedLocation& place) { return place.is_delete(); });
      shard.table.ShrinkIfSparse(&arena_);
      shard.holds_deletes = false;
      if (shard.table.size() == 0) live_.Clear(IndexOf(shard));
    }
    keys += shard.table.size();
  }
  keys_.store(keys, std::memory_order_relaxed);
}

absl::StatusOr<std::unique_ptr<Keystore>> CreateHashTable(const KeystoreConfig& config) {
  SipKey secret;
  absl::Status drawn = RandomBytes(&secret, sizeof(secret));
  if (!drawn.ok()) return drawn;
  return std::unique_ptr<Keystore>(new HashTable(secret, config));
}

}  // namespace

KeystoreFactory HashKeystore() {
  KeystoreFactory factory;
  factory.traits.name = "hash";
  factory.create = CreateHashTable;
  return factory;
}

}  // namespace rumcask
