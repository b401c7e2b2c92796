// What a user may choose. Public.

#ifndef RUMCASK_CORE_OPTIONS_H_
#define RUMCASK_CORE_OPTIONS_H_

#include "rumcask/require_cxx17.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "rumcask/keystore_factory.h"
#include "rumcask/limits.h"

namespace rumcask {

class FileSystem;
class Listener;
class Snapshot;

// How records get into the active segment.
enum class AppendMode {
  // Stored into a shared mapping of preallocated blocks: no system call per write. Falls back to
  // kWrite for a segment whose blocks can't be reserved or mapped.
  kMapped,
  // One pwritev per write or batch.
  kWrite,
};

// How records get out of segments.
enum class ReadMode {
  // From a shared mapping. A sector that the device cannot read raises SIGBUS.
  kMapped,
  // One pread per record; an unreadable sector is DataLoss.
  kPread,
};

struct Options {
  // ---- behaviour ----

  // The index from key to newest record. rumcask::Open fills in HashKeystore() when this is left
  // empty; DB::Open requires it.
  std::optional<KeystoreFactory> keystore;

  // Make the database if there is none. Default false: a mistyped path is NotFound, not a new
  // empty database.
  bool create_if_missing = false;

  // AlreadyExists if there is a database. Default false.
  bool error_if_exists = false;

  // Longest key accepted, 1 to 65535. Kept in MANIFEST at creation, so that a database promised to
  // be portable (511 for LMDB) stays so: later opens take the smaller of the two. Default 65535,
  // or the keystore's own limit if that is less.
  size_t max_key_bytes = kMaxKeyBytes;

  // If the database was made with another keystore, build this one's index from the log while
  // opening, and keep to it from then on. A crash in between leaves the database as it was. Refused
  // with InvalidArgument if keys are longer than the keystore takes. Default false: opening with
  // the wrong keystore is FailedPrecondition naming both. In-memory keystores may take each other's
  // place without this; with it, the database is known as the new one's.
  bool reindex = false;

  // Upper bound on the time an unsynced write stays unsynced; zero means until Sync, a synced
  // write, the segment's end or Close. Needs background_threads > 0. Default zero.
  std::chrono::milliseconds sync_interval{0};

  // Bound on the memory for locations that only snapshots (and iterators, which are snapshots)
  // still see, some 80 bytes for each key changed while one is open, and the key's own on ordered
  // keystores. Beyond it the oldest snapshot is given up. What ended snapshots saw counts until it
  // is forgotten, little by little; at the worst the memory is an eighth above the bound meanwhile.
  // Default 256 MiB: three million changes.
  uint64_t max_undo_bytes = uint64_t{256} << 20;

  // ---- performance: none of these changes what can be opened ----

  // Size at which a segment is sealed and the next begun, 4 KiB to 1 GiB. A larger record or batch
  // gets a segment of its own size. Smaller segments are reclaimed sooner; larger ones cost fewer
  // files. Default 64 MiB: sealing one takes a fraction of a second on a slow disk.
  uint64_t segment_bytes = uint64_t{64} << 20;

  // Default kMapped: an unsynced put makes no system call.
  AppendMode append_mode = AppendMode::kMapped;

  // Default kMapped: a hot get makes no system call. Choose kPread when the data is far larger
  // than memory or the device is not trusted. Mapped segments take at most a quarter of the
  // mappings that the process may have (vm.max_map_count, usually 65,530), all databases together;
  // those beyond are read as with kPread. If there are more when the database is opened, it is the
  // newest that are mapped.
  ReadMode read_mode = ReadMode::kMapped;

  // Bound on the file descriptors of segments, at least 8: those that are read with pread, which
  // stay open for the next read as long as there is room, and, up to a quarter, those that wait to
  // be sealed - writers wait when there are more. Up to ten more are for the directory, the locks,
  // MANIFEST and the segments that are being written, and a keystore on disk has its own. Default
  // 0: a quarter of what the process may have (RLIMIT_NOFILE) when the database is opened, 16 to
  // 4,096. Beyond that more save nothing worth having: to open a segment anew takes a few
  // microseconds.
  uint64_t max_open_files = 0;

  // Keystores on disk: log written until their index is brought up to date, and so the bound on
  // what opening reads again after a crash. Default 256 MiB.
  uint64_t replay_bytes = uint64_t{256} << 20;

  // Threads for the work that writers need not wait for. 2: one reserves space ahead of them, one
  // seals and syncs. 1 does all of it, so that writers reserve space themselves while it waits for
  // the device; 0 leaves everything to the calling writers. Unless it is 0, a keystore on disk has
  // one more, and any keystore gets one when a snapshot ends that kept much. Default 2.
  int background_threads = 2;

  // Told of what happens in the background; see listener.h. Default none.
  std::shared_ptr<Listener> listener;

  // Where the files are. For tests. Default null: the real file system.
  FileSystem* file_system = nullptr;
};

struct ReadOptions {
  // The moment to read at. Null, the default: now. Not owned.
  const Snapshot* snapshot = nullptr;
};

struct WriteOptions {
  // Return only when this write, and all before it, survive a power cut. Concurrent synced writes
  // share one fdatasync. Default false: the write survives the death of the process, and after a
  // power cut a prefix of all writes survives.
  bool sync = false;
};

// What a write found and did. Set if the call returns OK or if a condition refused it; left alone
// on any other error.
struct WriteResult {
  // The sequence number of the record written, or of the record that stood in the way of a
  // conditional write, or 0 if a delete found nothing and wrote nothing.
  uint64_t version = 0;
  // Whether the key existed before.
  bool existed = false;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_OPTIONS_H_
