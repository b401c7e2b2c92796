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
  const std::string found = log_->live_set().manifest().keystore;
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

// Closes the index. It is removed if it has failed beyond repair; otherwise it stays as it was.
void IndexOpener::GiveUp() {
  buffered_ = nullptr;
  keystore_.reset();
  stored_.index.reset();
  if (!failed_while_opening_->load() || config_.read_only) return;
  absl::Status removed = config_.factory.remove_index(index_path());
  if (!removed.ok()) (void)log_->live_set().Change(NewIncarnation);
}

absl::Status IndexOpener::Build(std::vector<Damage>* damages) {
  absl::Status status;
  if (config_.reindexes) status = CheckKeys();
  if (status.ok() && traits().persistent) {
    // MANIFEST must say that there is a database before a part of it exists. An index in memory is
    // no part of the directory.
    if (config_.is_new) {
      status = log_->live_set().Change([](Manifest* /*first*/) { return absl::OkStatus(); });
    }
    if (status.ok() && config_.reindexes) status = notes_.BeginReindexing(traits().name);
  }
  if (status.ok()) status = traits().persistent ? OpenOnDisk() : OpenInMemory();
  if (status.ok()) status = LoadFromLog(damages);
  return status;
}

// Checks, before anything is built, that the keystore takes all keys.
absl::Status IndexOpener::CheckKeys() {
  if (traits().max_key_bytes >= log_->live_set().manifest().max_key_bytes) return absl::OkStatus();
  ReplayOptions options;
  options.max_key_bytes = traits().max_key_bytes;
  std::vector<Damage> ignored;  // it is reported when the index is loaded
  return ReplayLog(directory_, log_, nullptr, options, &ignored);
}

absl::Status IndexOpener::OpenInMemory() {
  absl::StatusOr<std::unique_ptr<Keystore>> keystore =
      config_.factory.create({config_.max_undo_bytes, config_.background});
  if (!keystore.ok()) return keystore.status();
  keystore_ = *std::move(keystore);
  return absl::OkStatus();
}

absl::Status IndexOpener::OpenOnDisk() {
  absl::StatusOr<StoredIndex> stored = absl::UnknownError("not tried");
  const auto open = [this, &stored] {
    stored = OpenStoredIndex(config_.factory, directory_->path(), *log_, &notes_, config_.read_only,
                             /*discard=*/config_.reindexes);
    return stored.status();
  };
  // Without its index, a database on a full disk could not be made smaller.
  absl::Status opened = config_.read_only ? open() : log_->reserve().Run(open);
  if (!opened.ok()) return opened;
  stored_ = *std::move(stored);
  // In an empty database nothing was rebuilt.
  if (log_->live_set().recovered().last_sequence > 0) rebuilt_ = stored_.rebuilt;

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
  for (const std::shared_ptr<Segment>& segment : log_->Segments()) {
    const auto live = stored_.live.find(segment->id());
    if (live != stored_.live.end()) Space::Set(segment.get(), live->second);
  }
  const auto abandon = [log = log_, opening = opening_, failed = failed_while_opening_] {
    failed->store(true);
    // If this fails as well, the next opening still judges the index by its position and its notes.
    if (!opening->load()) (void)log->live_set().Change(NewIncarnation);
  };
  auto buffered =
      std::make_unique<BufferedIndex>(std::move(stored_.index), log_, std::move(config), abandon);
  buffered_ = buffered.get();
  keystore_ = std::move(buffered);
  return absl::OkStatus();
}

// A read-only opening keeps what the index lacks in memory, so there must not be too much of it.
absl::Status IndexOpener::CheckReplay() const {
  uint64_t bytes = 0;
  for (const RecoveredSegment& segment : log_->live_set().recovered().segments) {
    // What survivors hold was in the index before.
    if (segment.stream == Stream::kSurvivor) continue;
    // If the footer of a segment is damaged, its last number is not known.
    const bool lacking = segment.last_sequence == 0 || segment.last_sequence > stored_.position;
    if (lacking) bytes += segment.end - kSegmentHeaderBytes;
  }
  // The segment in which the index ends is counted as a whole, though a part of it is in the index.
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
  if (status.ok() && !buffered_->live_bytes_exact()) log_->space().SetToBound(stored_.live);
  return status;
}

// Makes MANIFEST name the keystore and the incarnation of the index, which is complete: what it
// does not have yet is above its position and will be replayed.
absl::Status IndexOpener::Bind() {
  const Manifest& before = log_->live_set().manifest();
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
  return log_->live_set().Change(change);
}

}  // namespace rumcask
