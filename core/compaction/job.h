// One compaction: moves what is live out of some segments, so that they can be retired.
//
//   READ    the victims' key tables, whole: which of their records are live, which of their
//           tombstones must stay
//   COPY    those records, in ascending order of their numbers, into survivors; each is verified,
//           and is durable with its file's entry before
//   ADOPT   MANIFEST lists the survivors, before anything points at them
//   MOVE    a few keys at a time under the write lock: the index leads to the copy if it still led
//           to the original
//   FENCE   a record with a number h of its own: everything that was moved or overwritten before
//           is decided once all numbers up to h are durable, and in an index on disk
//
// What follows, waiting and retiring, is the Compactor's. A crash anywhere leaves records twice, or
// files that MANIFEST does not list; both are harmless. Where a step fails, the victims simply
// stay.

#ifndef RUMCASK_CORE_COMPACTION_JOB_H_
#define RUMCASK_CORE_COMPACTION_JOB_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "core/compaction/job_progress.h"
#include "core/compaction/throttle.h"
#include "core/compaction/tombstones.h"
#include "core/compaction/writer_gate.h"
#include "core/format/format.h"
#include "core/index/index_gate.h"
#include "core/log/log.h"
#include "core/log/segment.h"
#include "core/plugin/keystore.h"
#include "core/plugin/location.h"
#include "core/system/file_system.h"
#include "core/versions/held_locations.h"

namespace rumcask {

// The parts of the database that a compaction works on.
struct CompactionParts {
  Directory* directory;
  Log* log;
  Keystore* keystore;
  IndexGate* index;
  HeldLocations* held;
  WriterGate* gate;
  // A survivor gets at most this, unless one record needs more.
  uint64_t segment_bytes;
  // So many bytes are copied in a second, at most; 0: any number.
  uint64_t bytes_per_second;
  // For tests: is called, without locks, before each step.
  std::function<void(std::string_view)> before_step;
};

// A segment that a job empties.
struct Victim {
  std::shared_ptr<Segment> segment;
  Trailer trailer;
  // Something in it could not be moved, or all of it is live, so it stays.
  bool stays = false;
  bool damaged = false;
  // Its key table, so that nobody knows what is in it.
  bool unreadable = false;
  // Up to where its records have been asked of the device.
  uint64_t prefetched = 0;
};

// What a job takes, and what comes of it.
struct CompactionPlan {
  std::vector<std::shared_ptr<Segment>> victims;
  // Whether victims go of which all is live, because they are small.
  bool merges = false;
  // By how much less the files will take.
  double gain = 0;
};

// Not thread-safe; one at a time.
class CompactionJob {
 public:
  // `parts` and `stopped` must outlive it. When `*stopped` is true it ends soon, with Cancelled.
  // The victims are sealed and have no records with numbers that are not durable.
  CompactionJob(const CompactionParts& parts, const std::atomic<bool>& stopped,
                const CompactionPlan& plan);

  // READ to FENCE. On error no victim is empty.
  absl::Status Run();

  // The fence's number. Those of the victims that do not stay may be retired once it is decided.
  uint64_t fence() const { return fence_; }
  const std::vector<Victim>& victims() const { return victims_; }
  // What it has written that is part of the database.
  const std::vector<std::shared_ptr<Segment>>& adopted() const { return adopted_; }
  // What could not be moved.
  const std::vector<absl::Status>& damages() const { return damages_; }
  // Of the files of survivors, with their footers.
  uint64_t written_bytes() const { return written_bytes_; }
  uint64_t copied_records() const { return copied_records_; }

 private:
  // A record to be moved.
  struct Move {
    uint64_t sequence;
    Location from;
    Location to;  // none if it was not copied
    uint32_t victim;
    uint32_t bytes;
    uint64_t key_begin;
    uint16_t key_bytes;
    bool is_tombstone;
    // Whether the index leads to the copy.
    bool is_moved;
    // Of a tombstone: the audit's question.
    uint32_t question;
  };
  // Records that go into one survivor.
  struct Output {
    size_t begin;
    size_t end;
    AgeClass age;
  };

  // A row of a victim's key table.
  struct Entry {
    RecordHeader header;
    uint64_t offset;
    size_t key_begin;
  };

  absl::Status Read();
  absl::Status ReadVictim(size_t index);
  // Adds a move for each of the entries, whose keys are in `bytes`, that has to stay. Sets `*gains`
  // if one has not.
  absl::Status LookUp(size_t index, const std::vector<Entry>& entries, std::string_view bytes,
                      bool* gains);
  absl::Status DropTombstones();
  // Cuts the moves into outputs, each in ascending order.
  std::vector<Output> Divide();
  absl::Status Copy();
  absl::Status CopyInto(const Output& output);
  static void Prefetch(const Move& move, Victim* victim);
  absl::Status Adopt();
  absl::Status MoveAll();
  absl::Status MoveSome(Move** begin, Move** end);
  // Brings the locations that iterators hold up to date.
  void ReplaceHeld();
  absl::Status Fence();

  // Cancelled if the job is to end, or the reason why the log takes no more.
  absl::Status GoesOn() const;
  // So many records were looked up, bytes copied, or keys moved.
  void Progress(JobProgress::Kind kind, uint64_t count) {
    if (progress_.Add(kind, count)) parts_.gate->SetProgress(gain_, progress_.share());
  }
  void Step(const char* name) const {
    if (parts_.before_step) parts_.before_step(name);
  }
  std::string_view KeyOf(const Move& move) const {
    return std::string_view(keys_).substr(move.key_begin, move.key_bytes);
  }

  const CompactionParts& parts_;
  const std::atomic<bool>& stopped_;
  const bool merges_;
  const double gain_;
  JobProgress progress_;
  Throttle throttle_;
  std::vector<Victim> victims_;
  TombstoneAudit tombstones_;
  std::vector<Move> moves_;
  std::string keys_;
  std::vector<std::shared_ptr<Segment>> survivors_;
  std::vector<std::shared_ptr<Segment>> adopted_;
  std::vector<absl::Status> damages_;
  uint64_t written_bytes_ = 0;
  uint64_t copied_records_ = 0;
  uint64_t fence_ = 0;
};

// Appends a fence, up to which the index's buffers are frozen. For what else needs one.
absl::Status AppendFence(const CompactionParts& parts, NewRecord* fence, bool ends_segment);

}  // namespace rumcask

#endif  // RUMCASK_CORE_COMPACTION_JOB_H_
