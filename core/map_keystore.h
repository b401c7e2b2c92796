// A keystore as simple as can be - a std::map under a mutex - for core's own tests.

#ifndef RUMCASK_CORE_MAP_KEYSTORE_H_
#define RUMCASK_CORE_MAP_KEYSTORE_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/keystore.h"
#include "core/mutex.h"

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

  Location Apply(const PreparedKey& key, Location location) override {
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
      if (context->IsNewer(entry.location, location)) {
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

  std::unique_ptr<KeystoreCursor> NewCursor() const override {
    return std::make_unique<Cursor>(this);
  }

 private:
  class Cursor : public KeystoreCursor {
   public:
    explicit Cursor(const MapKeystore* keystore) : keystore_(keystore) {}
    void Next(std::vector<Location>* locations) override {
      MutexLock lock(keystore_->mutex_);
      locations->clear();
      auto it = started_ ? keystore_->map_.upper_bound(last_) : keystore_->map_.begin();
      for (; it != keystore_->map_.end() && locations->size() < 16; ++it) {
        locations->push_back(it->second);
        last_ = it->first;
        started_ = true;
      }
    }

   private:
    const MapKeystore* const keystore_;
    std::string last_;
    bool started_ = false;
  };

  mutable Mutex mutex_;
  std::map<std::string, Location, std::less<>> map_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::pair<Location, bool>, std::less<>> loading_ ABSL_GUARDED_BY(mutex_);
};

// Goes by the name of the default keystore, so that databases made with it can be opened with that.
inline KeystoreFactory TestKeystore() {
  KeystoreFactory factory;
  factory.traits.name = "hash";
  factory.create = []() -> absl::StatusOr<std::unique_ptr<Keystore>> {
    return std::unique_ptr<Keystore>(new MapKeystore);
  };
  return factory;
}

}  // namespace rumcask

#endif  // RUMCASK_CORE_MAP_KEYSTORE_H_
