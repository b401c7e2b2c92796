#include "core/snapshot.h"

#include <utility>

#include "core/plugin/keystore.h"
#include "core/store.h"

namespace rumcask {

Snapshot::Snapshot(std::shared_ptr<Store> store,
                   std::shared_ptr<const KeystoreSnapshot> keystore_snapshot)
    : store_(std::move(store)), keystore_snapshot_(std::move(keystore_snapshot)) {}

Snapshot::~Snapshot() { ReleaseUnlessForked(std::move(store_), std::move(keystore_snapshot_)); }

uint64_t Snapshot::version() const { return keystore_snapshot_->sequence(); }

}  // namespace rumcask
