// The simplest keystore, a std::map under a mutex, for core's own tests.

#ifndef RUMCASK_CORE_TESTING_MAP_KEYSTORE_H_
#define RUMCASK_CORE_TESTING_MAP_KEYSTORE_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/plugin/keystore.h"
#include "core/system/mutex.h"

namespace rumcask {

class MapKeystore : public Keystore {
 public:
  absl::Status Get(const PreparedKey& key, Location* location) const override {
    MutexLock lock(mutex_);
    auto it = map_.find(key.key);
    if (it == map_.end()) return absl::NotFoundError("");
    *location = it->second;
    return absl::OkStatus();
  }

  Location Set(const PreparedKey& key, Location location, uint64_t /*sequence*/) override {
    MutexLock lock(mutex_);
    auto it = map_.find(key.key);
    const Location before = it == map_.end() ? Location() : it->second;
    if (location.exists()) {
      map_[std::string(key.key)] = location;
    } else if (it != map_.end()) {
      map_.erase(it);
    }
    return before;
  }

  bool Relocate(const PreparedKey& key, Location from, Location to) override {
    MutexLock lock(mutex_);
    auto it = map_.find(key.key);
    if (it == map_.end() || it->second != from) return false;
    it->second = to;
    return true;
  }

  void Load(absl::Span<const LoadEntry> entries, LoadContext* context) override {
    MutexLock lock(mutex_);
    for (const LoadEntry& entry : entries) {
      auto [it, inserted] =
          loading_.try_emplace(std::string(entry.key), entry.location, entry.is_delete);
      if (inserted) continue;
      auto& [location, is_delete] = it->second;
      if (context->IsNewer(entry, location)) {
        if (!is_delete) context->Superseded(location);
        it->second = {entry.location, entry.is_delete};
      } else if (!entry.is_delete) {
        context->Superseded(entry.location);
      }
    }
  }

  void FinishLoad() override {
    MutexLock lock(mutex_);
    for (const auto& [key, value] : loading_) {
      if (!value.second) map_[key] = value.first;
    }
    loading_.clear();
  }

  uint64_t KeyCount() const override {
    MutexLock lock(mutex_);
    return map_.size();
  }
  uint64_t MemoryBytes() const override { return 0; }

  // A copy of the map.
  std::shared_ptr<const KeystoreSnapshot> TakeSnapshot(uint64_t sequence) override {
    MutexLock lock(mutex_);
    auto copy = std::make_shared<const Copy>(sequence, map_);
    copies_.push_back(copy);
    return copy;
  }
  absl::Status GetAt(const KeystoreSnapshot& snapshot, const PreparedKey& key,
                     Location* location) const override {
    const Map& map = static_cast<const Copy&>(snapshot).map;
    auto it = map.find(key.key);
    if (it == map.end()) return absl::NotFoundError("");
    *location = it->second;
    return absl::OkStatus();
  }
  SnapshotUsage GetSnapshotUsage() const override { return {}; }
  void VisitKept(absl::FunctionRef<void(Location)> visit) const override {
    MutexLock lock(mutex_);
    for (const std::weak_ptr<const Copy>& copy : copies_) {
      const std::shared_ptr<const Copy> open = copy.lock();
      if (open == nullptr) continue;
      for (const auto& [key, location] : open->map) visit(location);
    }
  }

  std::unique_ptr<KeystoreCursor> NewCursor(
      std::shared_ptr<const KeystoreSnapshot> snapshot) const override {
    MutexLock lock(mutex_);
    return std::make_unique<Cursor>(snapshot == nullptr ? map_
                                                        : static_cast<const Copy&>(*snapshot).map);
  }

 private:
  using Map = std::map<std::string, Location, std::less<>>;

  struct Copy : KeystoreSnapshot {
    Copy(uint64_t sequence, const Map& m) : KeystoreSnapshot(sequence), map(m) {}
    const Map map;
  };
  class Cursor : public KeystoreCursor {
   public:
    explicit Cursor(const Map& map) : map_(map) {}
    absl::Status Next(std::vector<Location>* locations) override {
      locations->clear();
      for (; next_ != map_.end() && locations->size() < 16; ++next_) {
        locations->push_back(next_->second);
      }
      return absl::OkStatus();
    }

   private:
    const Map map_;
    Map::const_iterator next_ = map_.begin();
  };

  mutable Mutex mutex_;
  Map map_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::weak_ptr<const Copy>> copies_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::pair<Location, bool>, std::less<>> loading_ ABSL_GUARDED_BY(mutex_);
};

// Has the name of the default keystore, which it stands in for.
inline KeystoreFactory TestKeystore() {
  KeystoreFactory factory;
  factory.traits.name = "hash";
  factory.create = [](const KeystoreConfig&) -> absl::StatusOr<std::unique_ptr<Keystore>> {
    return std::unique_ptr<Keystore>(new MapKeystore);
  };
  return factory;
}

}  // namespace rumcask

#endif  // RUMCASK_CORE_TESTING_MAP_KEYSTORE_H_
