// Makes the segments of an open log, and decides what each is read and written through.

#ifndef RUMCASK_CORE_LOG_SEGMENT_FACTORY_H_
#define RUMCASK_CORE_LOG_SEGMENT_FACTORY_H_

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/format/format.h"
#include "core/log/recovery.h"
#include "core/log/segment.h"
#include "core/log/segment_table.h"
#include "core/log/segment_writer.h"
#include "core/segment/descriptor_cache.h"
#include "core/system/file_system.h"
#include "core/system/mapping_budget.h"

namespace rumcask {

// A survivor that is being written; its segment is in no table yet.
struct NewSurvivor {
  std::shared_ptr<Segment> segment;
  std::unique_ptr<File> file;
};

// Thread-safe after Begin.
class SegmentFactory {
 public:
  struct Config {
    uint64_t segment_bytes;
    // Records are stored into a mapping, where that can be had, and read from one.
    bool append_mapped;
    bool read_mapped;
    // The process's mappings, and how many of them segments take.
    uint64_t process_mappings;
    std::shared_ptr<MappingBudget> mapping_budget;
  };

  // `directory` and `table`, whose slots it gives to segments, must outlive it.
  SegmentFactory(Directory* directory, SegmentTable* table,
                 std::shared_ptr<DescriptorCache> descriptors, Config config)
      : directory_(directory),
        table_(table),
        descriptors_(std::move(descriptors)),
        config_(std::move(config)) {}

  // Sets which database the segments belong to.
  void Begin(const Uuid& uuid) { uuid_ = uuid; }
  const Uuid& uuid() const { return uuid_; }

  // How many of `all` segments that are about to be opened get a mapping. If there are not mappings
  // for all, as many as they get are left for segments to come.
  uint64_t MappingsFor(uint64_t all) const;

  // A segment that recovery found, to be added to the table. It `maps` if a mapping can be had; if
  // it `grows` it gets what records are appended through.
  absl::StatusOr<std::shared_ptr<Segment>> OpenFound(const RecoveredSegment& found, bool maps,
                                                     bool grows) const;

  // A segment with a new file and nothing in it yet, to be added to the table or removed.
  absl::StatusOr<std::shared_ptr<SegmentWriter>> Create(uint64_t id, uint64_t capacity) const;
  // Removes the file of a segment that was created and never added to the table, and gives its slot
  // back.
  absl::Status Remove(const SegmentWriter& writer) const;
  // The same for one that never got a header.
  void Discard(const SegmentWriter& writer) const;

  // A survivor with a new, empty file.
  absl::StatusOr<NewSurvivor> CreateSurvivor(uint64_t id) const;
  // Gives the survivor, which was sealed, its way to be read, and lets go of the file.
  void FinishSurvivor(NewSurvivor* survivor, const Trailer& trailer) const;
  // Removes the file of a survivor that is not to be adopted.
  void DiscardSurvivor(const Segment& survivor) const;

 private:
  absl::StatusOr<uint32_t> ReserveSlot() const;
  // Gives the segment its file and, as the modes and limits allow, a mapping of `bytes`.
  void AttachFile(Segment* segment, std::shared_ptr<File> file, uint64_t bytes, bool grows) const;

  Directory* const directory_;
  SegmentTable* const table_;
  const std::shared_ptr<DescriptorCache> descriptors_;
  const Config config_;
  Uuid uuid_ = {};
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_LOG_SEGMENT_FACTORY_H_
