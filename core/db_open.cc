// Opening and creating a database.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "core/damage.h"
#include "core/db.h"
#include "core/format/limits.h"
#include "core/format/manifest.h"
#include "core/index/index_notes.h"
#include "core/index/index_opener.h"
#include "core/listener.h"
#include "core/log/opening/directory_contents.h"
#include "core/log/recovery.h"
#include "core/plugin/keystore.h"
#include "core/store.h"
#include "core/system/random.h"
#include "core/system/text.h"

namespace rumcask {
namespace {

constexpr double kMinSpaceAmplification = 1.05;
constexpr double kMaxSpaceAmplification = 100;

constexpr uint64_t kMinOpenFiles = 8;

absl::Status CheckCompaction(const CompactionOptions& options) {
  const auto bad_share = [](double share) { return !(share > 0 && share <= 1); };
  if (bad_share(options.trigger_dead_share) || bad_share(options.qualifying_dead_share)) {
    return absl::InvalidArgumentError(
        absl::StrCat("CompactionOptions::trigger_dead_share is ", options.trigger_dead_share,
                     " and qualifying_dead_share is ", options.qualifying_dead_share,
                     "; both must be above 0 and at most 1"));
  }
  const double bound = options.max_space_amplification;
  if (bound != 0 && !(bound >= kMinSpaceAmplification && bound <= kMaxSpaceAmplification)) {
    return absl::InvalidArgumentError(absl::StrCat("CompactionOptions::max_space_amplification is ",
                                                   bound, ", not 0 or ", kMinSpaceAmplification,
                                                   " to ", kMaxSpaceAmplification));
  }
  for (const CompactionOptions::Hours& hours : options.windows) {
    if (hours.begin < 0 || hours.begin > 24 || hours.end < 0 || hours.end > 24 ||
        hours.begin == hours.end) {
      return absl::InvalidArgumentError(absl::StrCat("CompactionOptions::windows has ", hours.begin,
                                                     " to ", hours.end,
                                                     ", which is no part of a day from 0 to 24"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckOptions(const Options& options) {
  if (!options.keystore.has_value() || !MakesKeystores(*options.keystore)) {
    return absl::InvalidArgumentError("Options::keystore is not set");
  }
  if (!IsKeystoreName(options.keystore->traits.name)) {
    return absl::InvalidArgumentError(
        absl::StrCat("Options::keystore is called \"", Text(options.keystore->traits.name),
                     "\"; names are made of letters, digits, '_' and '-'"));
  }
  if (options.keystore->traits.persistent && options.file_system != nullptr &&
      !options.file_system->IsOfTheSystem()) {
    return absl::InvalidArgumentError(
        absl::StrCat("Options::file_system is in memory, and keystore \"",
                     options.keystore->traits.name, "\" needs files of the operating system"));
  }
  const uint32_t mode = options.file_mode;
  const bool is_mode = (mode & 0600) == 0600 && (mode & ~uint32_t{0666}) == 0;
  // Who may write and not read can do nothing.
  if (mode != 0 && (!is_mode || ((mode & 0222) << 1 & ~mode) != 0)) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "Options::file_mode is 0%o, not 0600 with 040, 060, 04 or 06 added to it, or 0", mode));
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
  return CheckCompaction(options.compaction);
}

// Of a new database.
uint32_t FileMode(const Options& options) {
  return options.file_mode == 0 ? 0600 : options.file_mode;
}

// Of a path without a slash there is none.
std::string_view ParentOf(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  path.remove_suffix(path.size() - (path.rfind('/') + 1));
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  return path;
}

// Makes the directory and its missing parents, each of which survives a power cut.
absl::Status MakeDirectories(FileSystem* file_system, std::string_view path, uint32_t mode) {
  absl::Status status = file_system->CreateDirectory(path, mode);
  const std::string_view parent = ParentOf(path);
  if (!absl::IsNotFound(status) || parent.empty() || parent == path) return status;
  status = MakeDirectories(file_system, parent, 0777);
  // Somebody else may have made it, and not synced it yet.
  if (status.ok() || absl::IsAlreadyExists(status)) status = file_system->SyncParent(parent);
  if (!status.ok()) return status;
  return file_system->CreateDirectory(path, mode);
}

// Opens the directory. If it is missing and `create` is true, makes it first.
absl::StatusOr<std::unique_ptr<Directory>> OpenOrMakeDirectory(FileSystem* file_system,
                                                               std::string_view path,
                                                               const Options& options,
                                                               bool create) {
  absl::StatusOr<std::unique_ptr<Directory>> directory = file_system->OpenDirectory(path);
  if (directory.ok() || !absl::IsNotFound(directory.status())) return directory;
  if (!create) {
    return absl::NotFoundError(
        absl::StrCat(Text(path), ": no database there, and create_if_missing is false"));
  }
  const uint32_t mode = DirectoryMode(FileMode(options));
  absl::Status status = options.create_parents ? MakeDirectories(file_system, path, mode)
                                               : file_system->CreateDirectory(path, mode);
  if (!status.ok() && !absl::IsAlreadyExists(status)) return status;
  return file_system->OpenDirectory(path);
}

// The first MANIFEST of a new database. It names no keystore until the opening has succeeded.
absl::StatusOr<Manifest> NewManifest(const Options& options) {
  Manifest manifest;
  absl::Status status = RandomBytes(manifest.uuid.data(), manifest.uuid.size());
  if (status.ok()) status = NewIncarnation(&manifest);
  manifest.max_key_bytes = std::min(options.max_key_bytes, options.keystore->traits.max_key_bytes);
  // The first write replaces MANIFEST before any record gets a number. So a MANIFEST that is not
  // clean says that numbers may have been given out, even if no record is left.
  manifest.clean = true;
  if (!status.ok()) return status;
  return manifest;
}

// Reads MANIFEST, or returns the reason why there is none. If the database is to be created,
// returns its first MANIFEST and sets `*is_new`. What is made from then on has MANIFEST's mode,
// unless the options have another one.
absl::StatusOr<Manifest> FindManifest(Directory* directory, std::string_view path,
                                      const Options& options, bool read_only, bool* is_new) {
  absl::StatusOr<DecodedManifest> found = ReadManifest(directory);
  if (found.ok()) {
    if (options.error_if_exists && !read_only) {
      return absl::AlreadyExistsError(
          absl::StrCat(Text(path), ": there is a database, and error_if_exists is true"));
    }
    if (options.file_mode == 0) directory->SetFileMode(found->file_mode);
    return found->manifest;
  }
  if (!absl::IsNotFound(found.status())) return found.status();
  absl::StatusOr<DirectoryContents> contents = ClassifyDirectory(directory);
  if (!contents.ok()) return contents.status();
  switch (*contents) {
    case DirectoryContents::kSegments:
      return absl::DataLossError(
          absl::StrCat(Text(path), "/MANIFEST: missing, though there are segments; see repair"));
    case DirectoryContents::kForeign:
      return ForeignDirectory(path);
    case DirectoryContents::kDatabase:  // MANIFEST has appeared since it was looked for
      return absl::UnavailableError(absl::StrCat(Text(path), ": is being created"));
    case DirectoryContents::kEmpty:
      break;
  }
  if (read_only || !options.create_if_missing) {
    return absl::NotFoundError(absl::StrCat(Text(path), ": no database there",
                                            read_only ? "" : ", and create_if_missing is false"));
  }
  *is_new = true;
  return NewManifest(options);
}

std::unique_ptr<CompactionController> MakeController(Store* store) {
  const Options& options = store->options_;
  const CompactionOptions& wanted = options.compaction;
  CompactionPolicy policy;
  policy.max_space_amplification = wanted.max_space_amplification != 0
                                       ? wanted.max_space_amplification
                                       : options.keystore->traits.max_space_amplification;
  policy.trigger_dead_share = wanted.trigger_dead_share;
  policy.trigger_dead_bytes = wanted.trigger_dead_bytes;
  policy.qualifying_dead_share = wanted.qualifying_dead_share;
  policy.qualifying_dead_bytes = wanted.qualifying_dead_bytes;
  policy.small_segment_bytes = std::min(wanted.small_segment_bytes, options.segment_bytes / 2);
  for (const CompactionOptions::Hours& hours : wanted.windows) {
    policy.windows.push_back({hours.begin, hours.end});
  }
  policy.segment_bytes = options.segment_bytes;
  policy.ordered = options.keystore->traits.ordered;
  CompactionController::Events events;
  if (const std::shared_ptr<Listener> listener = options.listener) {
    events.on_job = [listener](const CompactionReport& report) { listener->OnCompaction(report); };
    events.on_damage = [listener](const absl::Status& damage) { listener->OnDamage(damage); };
    events.on_error = [listener](const absl::Status& error) { listener->OnCompactionError(error); };
  }
  return std::make_unique<CompactionController>(std::move(policy), store->compactor_.get(),
                                                &store->log_, store->keystore_.get(), &store->gate_,
                                                std::move(events));
}

absl::StatusOr<std::shared_ptr<Store>> OpenStore(std::string_view path, const Options& options,
                                                 bool read_only) {
  absl::Status checked = CheckOptions(options);
  if (!checked.ok()) return checked;
  ForkGeneration::Watch();
  FileSystem* const file_system =
      options.file_system != nullptr ? options.file_system : PosixFileSystem();
  const bool create = options.create_if_missing && !read_only;

  absl::StatusOr<std::unique_ptr<Directory>> directory =
      OpenOrMakeDirectory(file_system, path, options, create);
  if (!directory.ok()) return directory.status();
  (*directory)->SetFileMode(FileMode(options));
  // LOCK is made only where there is a database or is to be one, so that nothing is changed under a
  // mistaken path.
  absl::StatusOr<DirectoryContents> contents = ClassifyDirectory(directory->get());
  if (!contents.ok()) return contents.status();
  if (*contents == DirectoryContents::kForeign) return ForeignDirectory(path);
  const bool make_lock = !read_only && (create || *contents != DirectoryContents::kEmpty);
  absl::StatusOr<std::unique_ptr<DatabaseLock>> lock = DatabaseLock::Acquire(
      directory->get(), read_only ? LockKind::kShared : LockKind::kExclusive, make_lock);
  if (!lock.ok()) return lock.status();

  bool is_new = false;
  absl::StatusOr<Manifest> manifest =
      FindManifest(directory->get(), path, options, read_only, &is_new);
  if (!manifest.ok()) return manifest.status();
  const KeystoreTraits& traits = options.keystore->traits;
  if (!CanTakeThePlace(*manifest, traits, read_only) && (!options.reindex || read_only)) {
    return absl::FailedPreconditionError(absl::StrCat(
        Text(path), ": made with keystore \"", manifest->keystore, "\", which \"", traits.name,
        "\" can't take the place of without reindexing: Options::reindex, or rumcask reindex"));
  }

  // A database that names no keystore yet may get any.
  const bool reindexes =
      !read_only && (options.reindex || manifest->keystore.empty()) && !IsOf(*manifest, traits);
  absl::StatusOr<RecoveredLog> log = Recover(directory->get(), *manifest, read_only);
  if (!log.ok()) return log.status();
  const size_t max_key_bytes = std::min(
      {static_cast<size_t>(manifest->max_key_bytes), options.max_key_bytes, traits.max_key_bytes});
  auto store = std::make_shared<Store>(std::move(*directory), options, read_only, max_key_bytes);
  store->lock_ = std::move(*lock);
  std::vector<Damage> damages = log->damages;
  const RecoveryReport report = log->report;
  absl::Status opened = store->log_.Open(*std::move(log), is_new ? file_system : nullptr);
  if (!opened.ok()) return opened;

  IndexOpener::Config config;
  config.factory = *options.keystore;
  config.max_undo_bytes = options.max_undo_bytes;
  config.replay_bytes = options.replay_bytes;
  config.segment_bytes = options.segment_bytes;
  config.background = options.background_threads > 0;
  config.read_only = read_only;
  config.reindexes = reindexes;
  if (options.listener != nullptr) {
    config.progress = [listener = options.listener](size_t done, size_t all) {
      listener->OnIndexLoading(done, all);
    };
  }
  config.is_new = is_new;
  absl::StatusOr<OpenIndex> index =
      IndexOpener(file_system, store->directory_.get(), &store->log_, std::move(config))
          .Open(&damages);
  if (!index.ok()) return index.status();
  store->keystore_ = std::move(index->keystore);
  store->index_ = index->gate;
  store->index_rebuilt_ = std::move(index->rebuilt);
  store->recovery_ = report;
  if (!read_only) {
    store->compactor_ = std::make_unique<Compactor>(
        CompactionParts{store->directory_.get(), &store->log_, store->keystore_.get(),
                        &store->index_, &store->held_locations_, &store->gate_,
                        options.segment_bytes, options.compaction.bytes_per_second,
                        /*before_step=*/nullptr});
    store->controller_ = MakeController(store.get());
    if (options.compaction.automatic && options.background_threads > 0) {
      store->controller_->Start();
    }
  }
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
