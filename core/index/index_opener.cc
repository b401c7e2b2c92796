#include "core/index/index_opener.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "core/format/manifest.h"
#include "core/index/replay.h"

namespace rumcask {

bool MakesKeystores(const KeystoreFactory& factory) {
  return factory.traits.persistent ? factory.open_index != nullptr : factory.create != nullptr;
}

bool IsOf(const Manifest& manifest, const KeystoreTraits& traits) {
  return manifest.keystore == traits.name && manifest.keystore_persistent == traits.persistent;
}

bool CanTakeThePlace(const Manifest& manifest, const KeystoreTraits& traits, bool read_only) {
  if (manifest.keystore.empty() || IsOf(manifest, traits)) return true;
  return !traits.persistent && (read_only || !manifest.keystore_persistent);
}

absl::StatusOr<OpenIndex> IndexOpener::Open(std::vector<Damage>* damages) {
  const std::string found = log_->manifest().keystore;
  if (!config_.read_only) notes_.CleanUp(found);
  absl::Status status = Build(damages);
  if (status.ok()) status = Bind();
  if (status.ok()) {
    opening_->store(false);
  } else {
    GiveUp();
  }
  if (config_.reindexes && !config_.read_only) {
    notes_.CleanUp(status.ok() ? traits().name : found);
  }
  if (!status.ok()) return status;
  OpenIndex index;
  index.gate = buffered_ != nullptr ? IndexGate(buffered_) : IndexGate(keystore_.get());
  index.keystore = std::move(keystore_);
  index.rebuilt = std::move(rebuilt_);
  return index;
}

// The index is of no use to anyone, if it is a new one or has failed. An old one was not touched.
void IndexOpener::GiveUp() {
  buffered_ = nullptr;
  keystore_.reset();
  stored_.index.reset();
  if (!failed_while_opening_->load() || config_.read_only) return;
  absl::Status removed = config_.factory.remove_index(index_path());
  if (!removed.ok()) (void)log_->ChangeManifest(NewIncarnation);
}

absl::Status IndexOpener::Build(std::vector<Damage>* damages) {
  absl::Status status;
  if (config_.reindexes) status = CheckKeys();
  if (status.ok() && traits().persistent) {
    // Something must say that there is a database before there is a part of it; where the index is
    // in memory there is none.
    if (config_.create) status = config_.create(log_->manifest());
    if (status.ok() && config_.reindexes) status = notes_.BeginReindexing(traits().name);
  }
  if (status.ok()) status = traits().persistent ? OpenOnDisk() : OpenInMemory();
  if (status.ok()) status = LoadFromLog(damages);
  return status;
}

// Before anything is built: whether the keystore takes all keys.
absl::Status IndexOpener::CheckKeys() {
  if (traits().max_key_bytes >= log_->manifest().max_key_bytes) return absl::OkStatus();
  ReplayOptions options;
  options.max_key_bytes = traits().max_key_bytes;
  std::vector<Damage> told;  // and told again when the index is loaded
  return ReplayLog(directory_, log_, nullptr, options, &told);
}

absl::Status IndexOpener::OpenInMemory() {
  absl::StatusOr<std::unique_ptr<Keystore>> keystore =
      config_.factory.create({config_.max_undo_bytes, config_.background});
  if (!keystore.ok()) return keystore.status();
  keystore_ = *std::move(keystore);
  return absl::OkStatus();
}

absl::Status IndexOpener::OpenOnDisk() {
  absl::StatusOr<StoredIndex> stored =
      OpenStoredIndex(config_.factory, directory_->path(), *log_, &notes_, config_.read_only,
                      /*discard=*/config_.reindexes);
  if (!stored.ok()) return stored.status();
  stored_ = *std::move(stored);
  // A database that has nothing in it has no index to build anew.
  if (log_->recovered().last_sequence > 0) rebuilt_ = stored_.rebuilt;

  BufferedIndex::Config config;
  config.path = index_path();
  config.buffer_bytes = config_.factory.buffer_bytes;
  config.replay_bytes = config_.replay_bytes;
  config.max_undo_bytes = config_.max_undo_bytes;
  config.background = config_.background;
  config.read_only = config_.read_only;
  config.incarnation = stored_.incarnation;
  config.position = stored_.position;
  config.live = stored_.live;
  config.witness = stored_.witness;
  for (const std::shared_ptr<Segment>& segment : log_->table().All()) {
    const auto live = stored_.live.find(segment->id());
    if (live != stored_.live.end()) segment->live_bytes.store(live->second);
  }
  const auto abandon = [log = log_, opening = opening_, failed = failed_while_opening_] {
    failed->store(true);
    // If this fails too, the index is as good as the last position it keeps.
    if (!opening->load()) (void)log->ChangeManifest(NewIncarnation);
  };
  auto buffered =
      std::make_unique<BufferedIndex>(std::move(stored_.index), log_, std::move(config), abandon);
  buffered_ = buffered.get();
  keystore_ = std::move(buffered);
  return absl::OkStatus();
}

// Read-only, what the index lacks stays in memory.
absl::Status IndexOpener::CheckReplay() const {
  uint64_t bytes = 0;
  for (const RecoveredSegment& segment : log_->recovered().segments) {
    // Of a segment whose footer is damaged the last number is not known.
    const bool lacking = segment.last_sequence == 0 || segment.last_sequence > stored_.position;
    if (lacking) bytes += segment.end - kSegmentHeaderBytes;
  }
  // All of the segment in which the index ends is counted, though a part of it is in the index.
  if (bytes <= config_.replay_bytes + config_.segment_bytes) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      directory_->path(), ": the index of ", traits().name, " lacks ", bytes,
      " bytes of the log; to bring it up to date, open the database once for writing"));
}

absl::Status IndexOpener::LoadFromLog(std::vector<Damage>* damages) {
  if (buffered_ != nullptr && config_.read_only) {
    absl::Status status = CheckReplay();
    if (!status.ok()) return status;
  }
  ReplayOptions options;
  options.tolerate = config_.read_only;
  options.in_order = traits().persistent;
  options.above = stored_.position;
  options.max_key_bytes = traits().max_key_bytes;
  options.progress = config_.progress;
  if (buffered_ != nullptr) options.goes_on = [this] { return buffered_->status().ok(); };
  absl::Status status = ReplayLog(directory_, log_, keystore_.get(), options, damages);
  if (!status.ok() || buffered_ == nullptr) return status;
  status = buffered_->status();
  if (!status.ok() || buffered_->live_bytes_exact()) return status;
  for (const std::shared_ptr<Segment>& segment : log_->table().All()) {
    segment->live_bytes.store(segment->end() - kSegmentHeaderBytes);
  }
  return status;
}

// The index stands, as far as it must: what is not in it yet is above its position. Binds MANIFEST
// to it.
absl::Status IndexOpener::Bind() {
  const Manifest& before = log_->manifest();
  if (!config_.reindexes && (buffered_ == nullptr || stored_.incarnation == before.incarnation)) {
    return absl::OkStatus();
  }
  absl::Status status;
  if (before.keystore_persistent && before.keystore != traits().name &&
      IsKeystoreName(before.keystore)) {
    status = notes_.BeginReindexing(before.keystore);
  }
  if (!status.ok()) return status;
  const auto change = [this](Manifest* manifest) {
    if (config_.reindexes) {
      manifest->keystore = traits().name;
      manifest->keystore_persistent = traits().persistent;
    }
    if (buffered_ != nullptr) manifest->incarnation = stored_.incarnation;
    return absl::OkStatus();
  };
  const bool is_new = config_.create && !traits().persistent;
  return is_new ? log_->CreateManifest(change, config_.create) : log_->ChangeManifest(change);
}

}  // namespace rumcask
