// The part of opening that makes the index agree with the log.

#ifndef RUMCASK_CORE_INDEX_INDEX_OPENER_H_
#define RUMCASK_CORE_INDEX_INDEX_OPENER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/damage.h"
#include "core/index/index_gate.h"
#include "core/index/index_notes.h"
#include "core/index/stored_index.h"
#include "core/log/log.h"
#include "core/plugin/keystore.h"
#include "core/system/file_system.h"

namespace rumcask {

// Whether the factory has the function that makes its kind of keystore.
bool MakesKeystores(const KeystoreFactory& factory);

// Whether the database is known as one of this keystore.
bool IsOf(const Manifest& manifest, const KeystoreTraits& traits);

// Whether the database can be opened with this keystore without reindexing it. Keystores in memory
// are built anew at every opening, so they may take each other's place; and read-only that of any.
bool CanTakeThePlace(const Manifest& manifest, const KeystoreTraits& traits, bool read_only);

// An index that agrees with the log.
struct OpenIndex {
  std::unique_ptr<Keystore> keystore;
  IndexGate gate;
  // Why an index on disk was built anew, or empty.
  std::string rebuilt;
};

// Makes one index for one log. Until the end of it the database is what it was, one that is being
// made or reindexed too: MANIFEST is changed last, or not at all.
class IndexOpener {
 public:
  struct Config {
    KeystoreFactory factory;
    // What of Options concerns the index.
    uint64_t max_undo_bytes;
    uint64_t replay_bytes;
    uint64_t segment_bytes;
    bool background;
    bool read_only;
    // The database shall be known as this keystore's from now on.
    bool reindexes;
    // Told after each segment that was read for the index; may be empty.
    std::function<void(size_t done, size_t all)> progress;
    // The database has no MANIFEST yet.
    bool is_new;
  };

  // All must outlive it; `directory` and `log` the index as well. The log is open.
  IndexOpener(FileSystem* file_system, Directory* directory, Log* log, Config config)
      : directory_(directory),
        log_(log),
        config_(std::move(config)),
        notes_(file_system, directory->path()) {}

  // To be called once. Adds what is damaged in the log to `*damages`.
  absl::StatusOr<OpenIndex> Open(std::vector<Damage>* damages);

 private:
  const KeystoreTraits& traits() const { return config_.factory.traits; }
  std::string index_path() const { return IndexPath(directory_->path(), traits().name); }

  absl::Status Build(std::vector<Damage>* damages);
  absl::Status CheckKeys();
  absl::Status OpenInMemory();
  absl::Status OpenOnDisk();
  absl::Status CheckReplay() const;
  absl::Status LoadFromLog(std::vector<Damage>* damages);
  absl::Status Bind();
  void GiveUp();

  Directory* const directory_;
  Log* const log_;
  const Config config_;
  IndexNotes notes_;
  std::unique_ptr<Keystore> keystore_;
  // The keystore if it is one on disk, and what was found of its index.
  BufferedIndex* buffered_ = nullptr;
  StoredIndex stored_;
  std::string rebuilt_;
  // Whether an index that fails is one of a database that is not open yet, and whether it did.
  const std::shared_ptr<std::atomic<bool>> opening_ = std::make_shared<std::atomic<bool>>(true);
  const std::shared_ptr<std::atomic<bool>> failed_while_opening_ =
      std::make_shared<std::atomic<bool>>(false);
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_INDEX_INDEX_OPENER_H_
