#include "keystores/btree/btree_keystore.h"

#include <memory>

#include "absl/status/status.h"

#include "core/plugin/keystore.h"
#include "core/versions/empty_ranges.h"
#include "core/versions/ordered_map.h"
#include "core/versions/past_versions.h"
#include "core/versions/snapshot_scan.h"

namespace rumcask {
namespace {

class Btree : public Keystore {
 public:
  explicit Btree(const KeystoreConfig& config)
      : past_({config.max_undo_bytes, config.background}),
        keys_(OrderedMap::Deletes::kForget, &past_, &empty_) {}

  absl::Status Get(const PreparedKey& key, Location* location) const override {
    KeyVersion version;
    if (!keys_.Get(key.key, &version)) return absl::Status(absl::StatusCode::kNotFound, "");
    *location = version.location;
    return absl::OkStatus();
  }
  Location Set(const PreparedKey& key, Location location, uint64_t sequence) override {
    return keys_.Set(key.key, location, sequence);
  }
  bool Relocate(const PreparedKey& key, Location from, Location to) override {
    return keys_.Relocate(key.key, from, to);
  }

  void Load(absl::Span<const LoadEntry> entries, LoadContext* context) override {
    keys_.Load(entries, context);
  }
  void FinishLoad() override { keys_.FinishLoad(); }

  std::shared_ptr<const KeystoreSnapshot> TakeSnapshot(uint64_t sequence) override {
    return past_.TakeSnapshot(sequence);
  }
  absl::Status GetAt(const KeystoreSnapshot& snapshot, const PreparedKey& key,
                     Location* location) const override {
    KeyVersion newest;
    bool seen = keys_.Get(key.key, &newest) && newest.sequence <= snapshot.sequence();
    KeyVersion version = newest;
    bool past = false;
    absl::Status status = past_.Find(snapshot, key.key, &past, &version);
    if (!status.ok()) return status;
    if (!seen && !past) return absl::Status(absl::StatusCode::kNotFound, "");
    *location = version.location;
    return absl::OkStatus();
  }
  SnapshotUsage GetSnapshotUsage() const override { return past_.Usage(); }
  void VisitKept(absl::FunctionRef<void(Location)> visit) const override {
    past_.VisitLocations(visit);
  }
  bool GiveUpOldestSnapshot() override { return past_.GiveUpOldestSnapshot(); }
  void FinishForgetting() override { past_.FinishForgetting(); }
  absl::Status Scan(const KeystoreSnapshot& snapshot, const KeyRange& range, size_t limit,
                    KeyBlock* block) const override {
    Sources sources(&keys_);
    return ScanSnapshot(&sources, past_, &empty_, snapshot, range, limit, block);
  }

  uint64_t KeyCount() const override { return keys_.size(); }
  uint64_t MemoryBytes() const override {
    return keys_.MemoryBytes() + past_.Usage().undo_bytes + empty_.MemoryBytes();
  }

 private:
  class Sources final : public ScanSources {
   public:
    explicit Sources(const OrderedMap* keys) : keys_(keys) {}
    void Capture() override {}
    size_t count() const override { return 1; }
    absl::Status Fetch(size_t /*i*/, const KeyRange& range, size_t limit,
                       KeyBlock* block) override {
      keys_->Scan(range, limit, block);
      return absl::OkStatus();
    }

   private:
    const OrderedMap* const keys_;
  };

  PastVersions past_;
  mutable EmptyRanges empty_;
  OrderedMap keys_;
};

}  // namespace

KeystoreFactory BtreeKeystore() {
  KeystoreFactory factory;
  factory.traits.name = "btree";
  factory.traits.ordered = true;
  factory.create = [](const KeystoreConfig& config) -> absl::StatusOr<std::unique_ptr<Keystore>> {
    return std::unique_ptr<Keystore>(new Btree(config));
  };
  return factory;
}

}  // namespace rumcask
