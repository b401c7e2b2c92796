#include "keystores/btree/btree_keystore.h"

#include <memory>

#include "absl/status/status.h"

#include "core/index_buffer.h"

namespace rumcask {
namespace {

class Btree : public Keystore {
 public:
  explicit Btree(const KeystoreConfig& config) : keys_(config.max_undo_bytes) {}

  absl::Status Get(const PreparedKey& key, Location* location) const override {
    return keys_.Get(key.key, location) ? absl::OkStatus()
                                        : absl::Status(absl::StatusCode::kNotFound, "");
  }
  Location Apply(const PreparedKey& key, Location location, uint64_t sequence) override {
    return keys_.Apply(key.key, location, sequence);
  }
  bool Relocate(const PreparedKey& key, Location from, Location to) override {
    return keys_.Relocate(key.key, from, to);
  }

  void Load(absl::Span<const LoadEntry> entries, LoadContext* context) override {
    keys_.Load(entries, context);
  }
  void FinishLoad() override { keys_.FinishLoad(); }

  std::shared_ptr<const KeystoreSnapshot> TakeSnapshot(uint64_t sequence) override {
    return keys_.TakeSnapshot(sequence);
  }
  absl::Status GetAt(const KeystoreSnapshot& snapshot, const PreparedKey& key,
                     Location* location) const override {
    return keys_.GetAt(snapshot, key.key, location);
  }
  SnapshotUsage GetSnapshotUsage() const override { return keys_.GetSnapshotUsage(); }
  absl::Status Scan(const KeystoreSnapshot& snapshot, const KeyRange& range, size_t limit,
                    KeyBlock* block) const override {
    return keys_.Scan(snapshot, range, limit, block);
  }

  uint64_t KeyCount() const override { return keys_.size(); }
  uint64_t MemoryBytes() const override { return keys_.MemoryBytes(); }

 private:
  IndexBuffer keys_;
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
