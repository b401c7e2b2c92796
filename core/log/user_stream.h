// The one chain of segments that grows: the user's records.
//
// One segment is active and takes the records. When it is half full the next one is prepared: its
// file is made and room is reserved in it, so that rolling over to it costs the writer nothing. All
// that can fail in a roll comes before the switch; until then the next segment is not part of the
// log.

#ifndef RUMCASK_CORE_LOG_USER_STREAM_H_
#define RUMCASK_CORE_LOG_USER_STREAM_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "core/format/format.h"
#include "core/log/segment_factory.h"
#include "core/log/segment_table.h"
#include "core/log/segment_writer.h"

namespace rumcask {

// The segment that a header names as its predecessor; id 0 if there is none.
struct ChainLink {
  uint64_t id = 0;
  uint64_t end = 0;
  uint64_t checksum = 0;
};

// Guarded by the write lock, all but MakePrepared.
class UserStream {
 public:
  // Both must outlive it.
  UserStream(const SegmentFactory* factory, SegmentTable* table, uint64_t segment_bytes)
      : factory_(factory),
        table_(table),
        segment_bytes_(segment_bytes),
        reserved_bytes_(std::min(segment_bytes / 16, kMostReservedBytes)) {}

  // The first segment that is begun will name `last` and have an id of at least `next_id`.
  void Begin(ChainLink last, uint64_t next_id);
  // A segment that was cleanly closed takes records again.
  void Continue(std::shared_ptr<SegmentWriter> last);

  // Null until the first record is written.
  SegmentWriter* active() const { return active_.get(); }
  // All ids below this were given out.
  uint64_t next_id() const { return next_id_; }
  // An id for a segment of another stream.
  uint64_t DrawId() { return next_id_++; }
  // The ids that segments of this stream have or will have which are not in the table yet: of the
  // prepared one, and of the one being prepared, whose file may not be there yet.
  std::vector<uint64_t> UnbornIds() const;

  // What the prepared segment's file takes.
  uint64_t prepared_bytes() const {
    return prepared_ == nullptr
               ? 0
               : prepared_->segment()->allocated_bytes.load(std::memory_order_relaxed);
  }

  // Whether the active segment takes `bytes` more of records, and if `keeps_free`, still
  // has room for fences then.
  bool HasRoom(uint64_t bytes, bool keeps_free) const {
    return active_ != nullptr && active_->Fits(bytes + (keeps_free ? reserved_bytes_ : 0));
  }

  // Begins the next segment with these records in it, in one step, and makes it the active one. The
  // header's link and id are filled in. Returns the segment that was active in `*full`, null if
  // there was none. On error nothing has changed, except that writing must end if `*broken` is set.
  absl::Status Roll(SegmentHeader header, absl::Span<NewRecord> records, uint64_t bytes,
                    std::shared_ptr<SegmentWriter>* full, bool* broken);

  // Whether the directory's entry of the active segment is durable, and that it is if `segment` is
  // the active one.
  bool entry_durable() const { return entry_durable_; }
  void EntryIsDurable(const Segment* segment) {
    if (active_ != nullptr && active_->segment() == segment) entry_durable_ = true;
  }

  // ---- ahead of the writers ----

  // Whether the active segment has reached the point where it wants help; told once.
  bool WantsHelp() {
    if (active_->end() < help_trigger_) return false;
    help_trigger_ = UINT64_MAX;
    return true;
  }
  struct Help {
    // Needs room; null if there is nothing to do.
    std::shared_ptr<SegmentWriter> active;
    // Of a segment to be prepared; 0 if none is called for.
    uint64_t id = 0;
  };
  Help BeginHelp();
  // Without the write lock: makes the segment with that id and reserves room in it. Null, and
  // nothing is left behind, if either fails; in `*failure` if the file could not be made.
  static std::shared_ptr<SegmentWriter> MakePrepared(const SegmentFactory& factory, uint64_t id,
                                                     uint64_t segment_bytes, absl::Status* failure);
  void EndHelp(const Help& help, std::shared_ptr<SegmentWriter> prepared);
  void DiscardPrepared();

 private:
  // What each segment keeps free of records with keys. Sync marks and fences take 24 bytes each,
  // and on a full disk they are what space comes back by: there is no next segment to roll over to
  // then.
  static constexpr uint64_t kMostReservedBytes = uint64_t{4} << 10;

  void Activate(std::shared_ptr<SegmentWriter> next);

  const SegmentFactory* const factory_;
  SegmentTable* const table_;
  const uint64_t segment_bytes_;
  const uint64_t reserved_bytes_;
  std::shared_ptr<SegmentWriter> active_;
  std::shared_ptr<SegmentWriter> prepared_;
  // The id of the segment being prepared, or 0.
  uint64_t preparing_ = 0;
  // The segment before the first one that is begun.
  ChainLink previous_;
  uint64_t next_id_ = 1;
  bool entry_durable_ = false;
  // Where the active segment wants to be extended, or the next one prepared.
  uint64_t help_trigger_ = UINT64_MAX;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_LOG_USER_STREAM_H_
