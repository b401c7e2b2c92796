// Which tombstones a compaction may drop.
//
// A tombstone that the index has passed over for a newer record of its key may go: the newer record
// can in turn only go by the same rule or as a tombstone that is looked at here. Any other one has
// to stay as long as an older record of its key is in a segment of the database, because an index
// that is built from the log would bring that record back. The segments' filters tell, and are
// wrong only in keeping a tombstone.

#ifndef RUMCASK_CORE_COMPACTION_TOMBSTONES_H_
#define RUMCASK_CORE_COMPACTION_TOMBSTONES_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "core/log/log.h"
#include "core/system/file_system.h"

namespace rumcask {

// Whether the reason for which a segment cannot be opened says something about the segment, as
// opposed to want of memory, descriptors or rights.
inline bool IsDamage(const absl::Status& opened) {
  return !opened.ok() && !absl::IsResourceExhausted(opened) && !absl::IsPermissionDenied(opened);
}

// Not thread-safe.
class TombstoneAudit {
 public:
  // Both must outlive it.
  TombstoneAudit(Directory* directory, Log* log) : directory_(directory), log_(log) {}

  // Asks about a tombstone with that number, in the segment `own_id`, of which no newer record of
  // its key is known. Returns the number of the question.
  size_t Ask(std::string_view key, uint64_t sequence, uint64_t own_id);

  // Answers all questions. To be called once. All segments of the database are asked, the victims
  // of the same job too: one of them may stay longer than the tombstone's.
  absl::Status Answer();

  // Whether an older record of the key may be in another segment.
  bool MustStay(size_t question) const { return questions_[question].must_stay; }

 private:
  struct Question {
    uint64_t key_hash;
    uint64_t sequence;
    uint64_t own_id;
    bool must_stay = false;
  };

  // Asks one segment.
  absl::Status AskSegment(const Segment& segment);

  Directory* const directory_;
  Log* const log_;
  std::vector<Question> questions_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_COMPACTION_TOMBSTONES_H_
