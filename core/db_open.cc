// Opening and creating a database.

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "core/damage.h"
#include "core/db.h"
#include "core/format/limits.h"
#include "core/format/manifest.h"
#include "core/index/index_notes.h"
#include "core/index/index_opener.h"
#include "core/index/replay.h"
#include "core/listener.h"
#include "core/log/recovery.h"
#include "core/plugin/keystore.h"
#include "core/store.h"
#include "core/system/seeded_bug.h"
#include "core/system/text.h"

namespace rumcask {
namespace {

constexpr uint64_t kMinOpenFiles = 8;

absl::Status CheckOptions(const Options& options) {
  if (!options.keystore.has_value() ||
      (options.keystore->traits.persistent ? !options.keystore->open_index
                                           : !options.keystore->create)) {
    return absl::InvalidArgumentError("Options::keystore is not set");
  }
  if (!IsKeystoreName(options.keystore->traits.name)) {
    return absl::InvalidArgumentError(
        absl::StrCat("Options::keystore is called \"", Text(options.keystore->traits.name),
                     "\"; names are made of letters, digits, '_' and '-'"));
  }
  if (options.max_key_bytes == 0 || options.max_key_bytes > kMaxKeyBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "Options::max_key_bytes is ", options.max_key_bytes, ", not 1 to ", kMaxKeyBytes));
  }
  if (options.segment_bytes < kMinSegmentBytes || options.segment_bytes > kMaxSegmentBytes) {
    return absl::InvalidArgumentError(absl::StrCat("Options::segment_bytes is ",
                                                   options.segment_bytes, ", not ",
                                                   kMinSegmentBytes, " to ", kMaxSegmentBytes));
  }
  if (options.max_open_files != 0 && options.max_open_files < kMinOpenFiles) {
    return absl::InvalidArgumentError(absl::StrCat("Options::max_open_files is ",
                                                   options.max_open_files, ", not 0 or at least ",
                                                   kMinOpenFiles));
  }
  if (options.background_threads < 0 || options.background_threads > 2) {
    return absl::InvalidArgumentError(absl::StrCat("Options::background_threads is ",
                                                   options.background_threads, ", not 0 to 2"));
  }
  if (options.sync_interval.count() < 0 ||
      (options.sync_interval.count() > 0 && options.background_threads == 0)) {
    return absl::InvalidArgumentError(
        "Options::sync_interval is negative, or there is no background thread to keep it");
  }
  return absl::OkStatus();
}

// Keystores in memory are rebuilt at every opening and may take each other's place.
bool Exchangeable(const Manifest& manifest, const KeystoreTraits& traits) {
  if (manifest.keystore.empty()) return true;
  return manifest.keystore_persistent == traits.persistent &&
         (!traits.persistent || manifest.keystore == traits.name);
}

// What a directory is, by the names in it.
enum class Contents { kEmpty, kForeign, kSegments, kDatabase };

absl::StatusOr<Contents> Classify(Directory* directory) {
  absl::StatusOr<std::vector<std::string>> names = directory->List();
  if (!names.ok()) return names.status();
  Contents result = Contents::kEmpty;
  for (const std::string& name : *names) {
    if (name == kManifestName) return Contents::kDatabase;
    if (ParseSegmentName(name).has_value()) {
      result = Contents::kSegments;
    } else if (name != kLockName && name != kManifestNextName && result == Contents::kEmpty) {
      // These two are what an interrupted creation leaves.
      result = Contents::kForeign;
    }
  }
  return result;
}

absl::Status ForeignError(std::string_view path) {
  return absl::FailedPreconditionError(
      absl::StrCat(Text(path), ": directory holds other files and no database"));
}

// Opens the directory, making it first if it is missing and `create`s.
absl::StatusOr<std::unique_ptr<Directory>> OpenOrMakeDirectory(FileSystem* file_system,
                                                               std::string_view path, bool create) {
  absl::StatusOr<std::unique_ptr<Directory>> directory = file_system->OpenDirectory(path);
  if (directory.ok() || !absl::IsNotFound(directory.status())) return directory;
  if (!create) {
    return absl::NotFoundError(
        absl::StrCat(Text(path), ": no database there, and create_if_missing is false"));
  }
  absl::Status status = file_system->CreateDirectory(path);
  if (!status.ok() && !absl::IsAlreadyExists(status)) return status;
  return file_system->OpenDirectory(path);
}

// What the first MANIFEST will say. It has no keystore until the opening has come to its end.
absl::StatusOr<Manifest> NewManifest(const Options& options) {
  Manifest manifest;
  absl::Status status = RandomBytes(manifest.uuid.data(), manifest.uuid.size());
  if (status.ok()) status = NewIncarnation(&manifest);
  manifest.max_key_bytes = std::min(options.max_key_bytes, options.keystore->traits.max_key_bytes);
  // Until the first write, which replaces MANIFEST before anything gets a number. So one that is
  // not clean says that numbers may have been given out, even if nothing else is left of them.
  manifest.clean = true;
  if (!status.ok()) return status;
  return manifest;
}

// Writes the first MANIFEST. Whatever a power cut leaves of it is created anew.
absl::Status Create(FileSystem* file_system, Directory* directory, const Manifest& manifest) {
  // The directory's own entry: without it a power cut takes the whole database. Before MANIFEST, so
  // that whoever finds one need not ask how far its creation came.
  if (!SeededBug("parent-not-synced")) {
    absl::Status status = file_system->SyncParent(directory->path());
    if (!status.ok()) return status;
  }
  return WriteManifest(directory, manifest);
}

// Finds MANIFEST, or the reason why there is none. If one is to be created, it is as it shall be,
// and `*is_new`.
absl::StatusOr<Manifest> FindManifest(Directory* directory, std::string_view path,
                                      const Options& options, bool read_only, bool* is_new) {
  absl::StatusOr<DecodedManifest> found = ReadManifest(directory);
  if (found.ok()) {
    if (options.error_if_exists && !read_only) {
      return absl::AlreadyExistsError(
          absl::StrCat(Text(path), ": there is a database, and error_if_exists is true"));
    }
    return found->manifest;
  }
  if (!absl::IsNotFound(found.status())) return found.status();
  absl::StatusOr<Contents> contents = Classify(directory);
  if (!contents.ok()) return contents.status();
  switch (*contents) {
    case Contents::kSegments:
      return absl::DataLossError(
          absl::StrCat(Text(path), "/MANIFEST: missing, though there are segments; see repair"));
    case Contents::kForeign:
      return ForeignError(path);
    case Contents::kDatabase:  // came while we looked
      return absl::UnavailableError(absl::StrCat(Text(path), ": is being created"));
    case Contents::kEmpty:
      break;
  }
  if (read_only || !options.create_if_missing) {
    return absl::NotFoundError(absl::StrCat(Text(path), ": no database there",
                                            read_only ? "" : ", and create_if_missing is false"));
  }
  *is_new = true;
  return NewManifest(options);
}

// The part of opening that makes the index agree with the log. Until its end the database is what
// it was, one that is being made or reindexed too: MANIFEST is changed last, or not at all.
class IndexOpening {
 public:
  // `is_new`: there is no MANIFEST yet.
  IndexOpening(Store* store, FileSystem* file_system, bool reindexes, bool is_new)
      : store_(store),
        file_system_(file_system),
        factory_(*store->options_.keystore),
        notes_(file_system, store->directory_->path()),
        reindexes_(reindexes),
        is_new_(is_new) {}

  absl::Status Run(RecoveredLog log, std::vector<Damage>* damages) {
    const std::string found = log.manifest.keystore;
    absl::Status status = store_->segments_.Open(std::move(log));
    if (status.ok() && writes()) notes_.CleanUp(found);
    if (status.ok()) status = Build(damages);
    if (status.ok()) status = Bind();
    if (status.ok()) {
      opening_->store(false);
    } else {
      // The index is of no use to anyone, if it is a new one or has failed. An old one was not
      // touched.
      store_->disk_ = nullptr;
      store_->keystore_.reset();
      opened_.index.reset();
      if (opening_forsook_->load() && writes()) {
        absl::Status removed = factory_.remove_index(IndexPath(path(), factory_.traits.name));
        if (!removed.ok()) (void)store_->segments_.ChangeManifest(NewIncarnation);
      }
    }
    if (reindexes_ && writes()) notes_.CleanUp(status.ok() ? factory_.traits.name : found);
    return status;
  }

 private:
  const std::string& path() const { return store_->directory_->path(); }
  bool writes() const { return !store_->read_only_; }

  absl::Status Build(std::vector<Damage>* damages) {
    absl::Status status;
    if (reindexes_) status = CheckKeys();
    // Something must say that there is a database before there is a part of it; where the index is
    // in memory there is none.
    if (status.ok() && is_new_ && factory_.traits.persistent) {
      status = Create(file_system_, store_->directory_.get(), store_->segments_.manifest());
      is_new_ = false;
    }
    if (status.ok() && reindexes_ && factory_.traits.persistent) {
      status = notes_.BeginReindexing(factory_.traits.name);
    }
    if (status.ok()) status = factory_.traits.persistent ? OpenOnDisk() : OpenInMemory();
    if (status.ok()) status = Load(damages);
    return status;
  }

  // The index stands, as far as it must: what is not in it yet is above its position.
  absl::Status Bind() {
    const Manifest& before = store_->segments_.manifest();
    if (!reindexes_ && (store_->disk_ == nullptr || opened_.incarnation == before.incarnation)) {
      return absl::OkStatus();
    }
    absl::Status status;
    if (before.keystore_persistent && before.keystore != factory_.traits.name &&
        IsKeystoreName(before.keystore)) {
      status = notes_.BeginReindexing(before.keystore);
    }
    if (!status.ok()) return status;
    const auto change = [this](Manifest* manifest) {
      if (reindexes_) {
        manifest->keystore = factory_.traits.name;
        manifest->keystore_persistent = factory_.traits.persistent;
      }
      if (store_->disk_ != nullptr) manifest->incarnation = opened_.incarnation;
      return absl::OkStatus();
    };
    if (is_new_) {
      return store_->segments_.CreateManifest(change, [this](const Manifest& manifest) {
        return Create(file_system_, store_->directory_.get(), manifest);
      });
    }
    return store_->segments_.ChangeManifest(change);
  }

  // Before anything is built: whether the keystore takes all keys.
  absl::Status CheckKeys() {
    if (factory_.traits.max_key_bytes >= store_->segments_.manifest().max_key_bytes) {
      return absl::OkStatus();
    }
    IndexLoad load;
    load.max_key_bytes = factory_.traits.max_key_bytes;
    std::vector<Damage> told;  // and told again when the index is loaded
    return LoadIndex(store_->directory_.get(), &store_->segments_, nullptr, load, &told);
  }

  absl::Status OpenInMemory() {
    absl::StatusOr<std::unique_ptr<Keystore>> keystore =
        factory_.create({store_->options_.max_undo_bytes, store_->options_.background_threads > 0});
    if (!keystore.ok()) return keystore.status();
    store_->keystore_ = *std::move(keystore);
    return absl::OkStatus();
  }

  absl::Status OpenOnDisk() {
    SegmentSet* const segments = &store_->segments_;
    absl::StatusOr<OpenedIndex> opened =
        OpenIndex(factory_, path(), *segments, &notes_, store_->read_only_, reindexes_);
    if (!opened.ok()) return opened.status();
    opened_ = *std::move(opened);
    // A database that has nothing in it has no index to build anew.
    if (segments->recovered().last_sequence > 0) store_->index_rebuilt_ = opened_.rebuilt;
    return MakeDiskKeystore();
  }

  absl::Status MakeDiskKeystore() {
    const Options& options = store_->options_;
    DiskKeystore::Config config;
    config.path = IndexPath(path(), factory_.traits.name);
    config.buffer_bytes = factory_.buffer_bytes;
    config.replay_bytes = options.replay_bytes;
    config.max_undo_bytes = options.max_undo_bytes;
    config.background = options.background_threads > 0;
    config.read_only = store_->read_only_;
    config.incarnation = opened_.incarnation;
    config.position = opened_.position;
    config.live = opened_.live;
    config.witness = opened_.witness;
    for (const std::shared_ptr<Segment>& segment : store_->segments_.table().All()) {
      const auto live = opened_.live.find(segment->id());
      if (live != opened_.live.end()) segment->live_bytes.store(live->second);
    }
    SegmentSet* const segments = &store_->segments_;
    auto disk =
        std::make_unique<DiskKeystore>(std::move(opened_.index), segments, std::move(config),
                                       [segments, opening = opening_, forsook = opening_forsook_] {
                                         forsook->store(true);
                                         // If this fails too, the index is as good as the last
                                         // position it keeps.
                                         if (!opening->load())
                                           (void)segments->ChangeManifest(NewIncarnation);
                                       });
    store_->disk_ = disk.get();
    store_->keystore_ = std::move(disk);
    return absl::OkStatus();
  }

  absl::Status Load(std::vector<Damage>* damages) {
    if (store_->disk_ != nullptr && store_->read_only_) {
      absl::Status status = CheckReplay();
      if (!status.ok()) return status;
    }
    IndexLoad load;
    load.tolerate = store_->read_only_;
    load.in_order = factory_.traits.persistent;
    load.above = opened_.position;
    load.max_key_bytes = factory_.traits.max_key_bytes;
    if (store_->disk_ != nullptr) load.goes_on = [this] { return store_->disk_->status().ok(); };
    const std::shared_ptr<Listener>& listener = store_->options_.listener;
    if (listener != nullptr) {
      load.progress = [&listener](size_t done, size_t all) { listener->OnIndexLoading(done, all); };
    }
    absl::Status status = LoadIndex(store_->directory_.get(), &store_->segments_,
                                    store_->keystore_.get(), load, damages);
    if (!status.ok() || store_->disk_ == nullptr) return status;
    if (!store_->disk_->status().ok()) return store_->disk_->status();
    if (store_->disk_->live_bytes_exact()) return status;
    for (const std::shared_ptr<Segment>& segment : store_->segments_.table().All()) {
      segment->live_bytes.store(segment->end() - kSegmentHeaderBytes);
    }
    return status;
  }

  // Read-only, what the index lacks stays in memory.
  absl::Status CheckReplay() const {
    uint64_t bytes = 0;
    for (const RecoveredSegment& segment : store_->segments_.recovered().segments) {
      // Of a segment whose footer is damaged the last number is not known.
      const bool lacking = segment.last_sequence == 0 || segment.last_sequence > opened_.position;
      if (lacking) bytes += segment.end - kSegmentHeaderBytes;
    }
    // All of the segment in which the index ends is counted, though a part of it is in the index.
    const Options& options = store_->options_;
    if (bytes <= options.replay_bytes + options.segment_bytes) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat(
        store_->directory_->path(), ": the index of ", factory_.traits.name, " lacks ", bytes,
        " bytes of the log; to bring it up to date, open the database once for writing"));
  }

  Store* const store_;
  FileSystem* const file_system_;
  const KeystoreFactory& factory_;
  IndexNotes notes_;
  const bool reindexes_;
  bool is_new_;
  OpenedIndex opened_;
  // Whether an index that fails is one of a database that is not open yet, and whether it did.
  const std::shared_ptr<std::atomic<bool>> opening_ = std::make_shared<std::atomic<bool>>(true);
  const std::shared_ptr<std::atomic<bool>> opening_forsook_ =
      std::make_shared<std::atomic<bool>>(false);
};

absl::StatusOr<std::shared_ptr<Store>> OpenStore(std::string_view path, const Options& options,
                                                 bool read_only) {
  absl::Status status = CheckOptions(options);
  if (!status.ok()) return status;
  ForkGeneration::Watch();
  FileSystem* const file_system =
      options.file_system != nullptr ? options.file_system : PosixFileSystem();
  const bool create = options.create_if_missing && !read_only;

  absl::StatusOr<std::unique_ptr<Directory>> directory =
      OpenOrMakeDirectory(file_system, path, create);
  if (!directory.ok()) return directory.status();
  // A LOCK that belongs to something else is not touched, and one is made only where a database is
  // or shall be, so that a mistaken path stays as it was.
  absl::StatusOr<Contents> contents = Classify(directory->get());
  if (!contents.ok()) return contents.status();
  if (*contents == Contents::kForeign) return ForeignError(path);
  const bool make_lock = !read_only && (create || *contents != Contents::kEmpty);
  absl::StatusOr<std::unique_ptr<DatabaseLock>> lock = DatabaseLock::Acquire(
      directory->get(), read_only ? LockKind::kShared : LockKind::kExclusive, make_lock);
  if (!lock.ok()) return lock.status();

  bool is_new = false;
  absl::StatusOr<Manifest> manifest =
      FindManifest(directory->get(), path, options, read_only, &is_new);
  if (!manifest.ok()) return manifest.status();
  const KeystoreTraits& traits = options.keystore->traits;
  const bool refused = !Exchangeable(*manifest, traits) && !(read_only && !traits.persistent);
  if (refused && (!options.reindex || read_only)) {
    return absl::FailedPreconditionError(absl::StrCat(
        Text(path), ": made with keystore \"", manifest->keystore, "\", which \"", traits.name,
        "\" can't take the place of without reindexing: Options::reindex, or rumcask reindex"));
  }

  // A database that has no keystore yet is one for every keystore to take.
  const bool reindexes =
      !read_only && (options.reindex || manifest->keystore.empty()) &&
      (manifest->keystore != traits.name || manifest->keystore_persistent != traits.persistent);
  absl::StatusOr<RecoveredLog> log = Recover(directory->get(), *manifest, read_only);
  if (!log.ok()) return log.status();
  const size_t max_key_bytes = std::min(
      {static_cast<size_t>(manifest->max_key_bytes), options.max_key_bytes, traits.max_key_bytes});
  auto store = std::make_shared<Store>(std::move(*directory), options, read_only, max_key_bytes);
  store->lock_ = std::move(*lock);
  std::vector<Damage> damages = log->damages;
  const RecoveryReport report = log->report;
  status = IndexOpening(store.get(), file_system, reindexes, is_new).Run(*std::move(log), &damages);
  if (!status.ok()) return status;
  store->recovery_ = report;
  if (options.listener != nullptr) {
    for (const Damage& damage : damages) options.listener->OnDamage(DamageStatus(damage));
    options.listener->OnRecovered(report);
  }
  return store;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DB>> DB::Open(std::string_view path, const Options& options) {
  absl::StatusOr<std::shared_ptr<Store>> store = OpenStore(path, options, /*read_only=*/false);
  if (!store.ok()) return store.status();
  return std::unique_ptr<DB>(new DB(std::move(*store)));
}

absl::StatusOr<std::string> DB::StoredKeystore(std::string_view path, FileSystem* file_system) {
  if (file_system == nullptr) file_system = PosixFileSystem();
  absl::StatusOr<std::unique_ptr<Directory>> directory = file_system->OpenDirectory(path);
  if (!directory.ok()) return directory.status();
  absl::StatusOr<DecodedManifest> manifest = ReadManifest(directory->get());
  if (!manifest.ok()) return manifest.status();
  return manifest->manifest.keystore;
}

absl::StatusOr<std::unique_ptr<DB>> DB::OpenReadOnly(std::string_view path,
                                                     const Options& options) {
  absl::StatusOr<std::shared_ptr<Store>> store = OpenStore(path, options, /*read_only=*/true);
  if (!store.ok()) return store.status();
  return std::unique_ptr<DB>(new DB(std::move(*store)));
}

}  // namespace rumcask
