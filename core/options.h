// What a user can choose. Public.

#ifndef RUMCASK_CORE_OPTIONS_H_
#define RUMCASK_CORE_OPTIONS_H_

#include "rumcask/require_cxx17.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "rumcask/keystore_factory.h"
#include "rumcask/limits.h"

namespace rumcask {

class FileSystem;
class Listener;
class Snapshot;

// How records get into the active segment.
enum class AppendMode {
  // A record is stored into a shared mapping of preallocated blocks, without a system call per
  // write. A segment whose blocks cannot be reserved or mapped is written as with kWrite.
  kMapped,
  // One pwritev per write or batch.
  kWrite,
};

// How records get out of segments.
enum class ReadMode {
  // From a shared mapping. A sector that the device cannot read raises SIGBUS.
  kMapped,
  // With one pread per record. A sector that the device cannot read is DataLoss.
  kPread,
};

// When the space of dead records comes back. Nobody needs to change anything here.
struct CompactionOptions {
  // Whether the database compacts by itself, in a thread of its own, from its first write on. Set
  // it to false if you call DB::CompactSome or DB::CompactAll at times of your own; the database
  // then takes as much space as there is. It is also false if background_threads is 0.
  bool automatic = true;

  // Bound on the space that the log takes, as a multiple of what is live in it. To the bound come
  // four segments; the segment that is being written; what snapshots, iterators and PinnedValues
  // keep, which has bounds of its own; for each writing thread one write; damaged segments; and
  // what one compaction is working on, which is at most eight segments or a sixteenth of what is
  // live. Writers are slowed down to the pace at which space comes back. The bound is not kept
  // while compaction is paused or fails. What keystores on disk replace is known late; the same
  // size is assumed. With rocksdb the bound holds once a walk over the index has been done, the
  // first of which a write begins. The lower it is, the more is written to keep it: with uniform
  // overwrites, every byte 1.8 times at 1.5, and 5 times at 1.1. 1.05 to 100, or 0 for the
  // keystore's own: 1.5, and 2 for keystores on disk, where moving a record changes the index.
  double max_space_amplification = 0;

  // A sealed segment is compacted, although the bound does not ask for it, once this share of it or
  // so many bytes in it are dead. Below 1, space comes back sooner and more is written for it.
  // Share above 0 and at most 1. Defaults: 1, so that segments without live records go at once, and
  // no number of bytes.
  double trigger_dead_share = 1;
  uint64_t trigger_dead_bytes = UINT64_MAX;

  // Once a segment has triggered compaction, those are compacted too of which this share or so many
  // bytes are dead. At most as high as what triggers; what is higher counts as that. Defaults as
  // above.
  double qualifying_dead_share = 1;
  uint64_t qualifying_dead_bytes = UINT64_MAX;

  // Eight sealed segments that are smaller than this, and than half of Options::segment_bytes, are
  // merged. 0: never. Default 4 MiB.
  uint64_t small_segment_bytes = uint64_t{4} << 20;

  // Hours of the day, local time, from `begin` until before `end`, 0 to 24; `begin` may be the
  // greater one, and midnight is between them then.
  struct Hours {
    int begin = 0;
    int end = 24;
  };
  // When triggers and small segments count. The bound is kept at all hours. Default: always.
  std::vector<Hours> windows;

  // How fast records are copied, in bytes per second. Writers at the bound are slowed down
  // accordingly. 0, the default: as fast as possible.
  uint64_t bytes_per_second = 0;
};

// For opening a database.
struct Options {
  // ---- behaviour ----

  // The index from key to newest record. rumcask::Open fills in HashKeystore() when this is left
  // empty; DB::Open requires it.
  std::optional<KeystoreFactory> keystore;

  // Create the database if there is none. Default false, so that a mistyped path gives NotFound and
  // not a new empty database.
  bool create_if_missing = false;

  // Create missing parent directories of a new database, too, with the modes that mkdir -p gives
  // them. Default false: NotFound.
  bool create_parents = false;

  // Fail with AlreadyExists if there is a database. Default false.
  bool error_if_exists = false;

  // The mode of files that are made from now on, as far as the umask lets it: 0600 with 040, 060,
  // 04 or 06 added to it. Who may read the files may also enter the directory if that is made now.
  // So 0640 lets a group open a new database read-only. Of a database that exists, the files that
  // are there keep their modes, so change those yourself. Directories of indexes on disk are their
  // owner's alone in any case: others read such a database with a keystore in memory. Default 0:
  // MANIFEST's mode, and 0600 for a new database.
  uint32_t file_mode = 0;

  // Longest key accepted, 1 to 65535. MANIFEST keeps the value given at creation, so that a
  // database stays portable to a keystore with a lower limit (511 for LMDB); later opens use the
  // smaller of the two values. Default 65535, or the keystore's own limit if that is less.
  size_t max_key_bytes = kMaxKeyBytes;

  // If the database was made with another keystore, build this keystore's index from the log while
  // opening, and record in MANIFEST that the database belongs to it from then on. A crash in
  // between leaves the database as it was. InvalidArgument if there are keys that are too long for
  // the keystore. Default false: opening with the wrong keystore is FailedPrecondition naming both.
  // Keystores in memory can replace each other without this option; with it, MANIFEST also records
  // the new one's name.
  bool reindex = false;

  // Upper bound on the time for which a write stays unsynced. Zero: until Sync, a synced write, the
  // end of the segment or Close. Needs background_threads > 0. Default zero.
  std::chrono::milliseconds sync_interval{0};

  // Bound on the memory for locations that only snapshots still see; iterators are snapshots, too.
  // A location takes some 80 bytes for each key changed while a snapshot is open, plus the key
  // itself on ordered keystores. Beyond the bound the oldest snapshot is given up. What ended
  // snapshots saw is forgotten little by little and counts until then; in the worst case memory
  // exceeds the bound by an eighth meanwhile. Default 256 MiB, enough for three million changes.
  uint64_t max_undo_bytes = uint64_t{256} << 20;

  // ---- performance: none of these changes what can be opened ----

  // Size at which a segment is sealed and the next one begun, 4 KiB to 1 GiB. A larger record or
  // batch gets a segment of its own size. The space of smaller segments is reclaimed sooner; larger
  // segments need fewer files. Default 64 MiB: sealing one takes a fraction of a second on a slow
  // disk.
  uint64_t segment_bytes = uint64_t{64} << 20;

  // Default kMapped: an unsynced put makes no system call.
  AppendMode append_mode = AppendMode::kMapped;

  // Default kMapped: a get of cached data makes no system call. Choose kPread when the data is far
  // larger than memory or when the device is not trusted. All databases of a process together map
  // segments with at most a quarter of the mappings that the process may have (vm.max_map_count,
  // usually 65,530); further segments are read as with kPread. If there are more segments than that
  // at the opening, the newest ones are mapped.
  ReadMode read_mode = ReadMode::kMapped;

  // Bound on the file descriptors used for segments, at least 8. It covers segments that are read
  // with pread, which stay open for the next read while there is room, and segments that wait to be
  // sealed, which take at most a quarter of it; writers wait when there are more of those. Up to
  // ten more descriptors are used for the directory, the locks, MANIFEST and the segments being
  // written, and a keystore on disk has its own. Default 0: a quarter of what the process may have
  // (RLIMIT_NOFILE) when the database is opened, but at least 16 and at most 4,096. More than that
  // would gain little, because reopening a segment takes only a few microseconds.
  uint64_t max_open_files = 0;

  // For keystores on disk: the index is brought up to date after this many bytes of log, which
  // therefore bounds how much log an opening after a crash reads again. Default 256 MiB.
  uint64_t replay_bytes = uint64_t{256} << 20;

  // Threads for work that writers need not wait for. With 2, one thread reserves space ahead of the
  // writers, and the other seals and syncs. With 1, that thread does all of it, and writers reserve
  // space themselves while it waits for the device. With 0, the calling writers do everything.
  // Unless it is 0, one more thread compacts, and one tells the listener of it; a keystore on disk
  // has one more, and every keystore gets one when a snapshot ends that kept much. Default 2.
  int background_threads = 2;

  // When the space of dead records comes back.
  CompactionOptions compaction;

  // Receives events of background work and of opening; see listener.h. Default none.
  std::shared_ptr<Listener> listener;

  // The file system that holds the files. For tests; memory_file_system.h has one. Not owned.
  // Default null: the real one.
  FileSystem* file_system = nullptr;
};

// For one read.
struct ReadOptions {
  // The snapshot to read at. Null, the default: the current state. Not owned.
  const Snapshot* snapshot = nullptr;
};

// For one write.
struct WriteOptions {
  // Return only when this write, and all writes before it, survive a power cut. Concurrent synced
  // writes share one fdatasync. Default false: the write survives the death of the process, and
  // after a power cut a prefix of all writes survives.
  bool sync = false;
};

// What a write found and did. Set if the call returns OK or if a condition refused the write;
// unchanged on any other error.
struct WriteResult {
  // The sequence number of the record that was written; or of the record because of which a
  // conditional write was refused, 0 if that was because a key is missing; or 0 if nothing was
  // written, because a delete found nothing or a batch is empty.
  uint64_t version = 0;
  // Whether the key existed before.
  bool existed = false;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_OPTIONS_H_
