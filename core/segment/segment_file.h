// A segment file that is not believed.
//
// Recovery, sealing, verifying, repairing and loading an index all read segments of which nothing
// is known: the file may be torn, damaged, hostile, or lie on a device that cannot read some of its
// sectors. They do it through this class. Everything is read with pread. A length is checked
// against the limits and against what is left before anything is read or allocated by it. A sector
// that cannot be read is damage of its own range: the records in it do not verify, and reading goes
// on behind it.

#ifndef RUMCASK_CORE_SEGMENT_SEGMENT_FILE_H_
#define RUMCASK_CORE_SEGMENT_SEGMENT_FILE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/format/format.h"
#include "core/system/file_system.h"
#include "core/system/sector_reader.h"

namespace rumcask {

// A record that verifies. `key` is valid until the callback that it is given to returns.
struct FoundRecord {
  const RecordHeader& header;
  std::string_view key;
  uint64_t offset;
  // Whether the bytes that fill the record up to a multiple of 8, which no checksum covers, are the
  // zeros they were written as.
  bool padding_is_zero;

  uint64_t end() const { return offset + header.record_bytes(); }
};

// Bytes that are no record.
struct FoundDamage {
  uint64_t offset;
  uint64_t length;
  // Whether a record that verifies follows.
  bool followed;
  // What is wrong: a clause for a Damage, without a subject.
  const char* cause;
};

// What follows the end of the records in a segment that was not sealed.
struct TailTraces {
  // The largest number vouched for by any sync mark, at any multiple of 8, whatever lies between;
  // 0 if there is none.
  uint64_t durable_sequence = 0;
  // Up to the last byte that is not zero: what was written, as opposed to reserved. A sector that
  // cannot be read counts as written.
  uint64_t bytes = 0;
};

// Not thread-safe. Each function returns an error only for what says nothing about the file: want
// of memory or descriptors.
class SegmentFile {
 public:
  // Opens the file of segment `id` for reading. FailedPrecondition if what has its name is no
  // regular file.
  static absl::StatusOr<std::unique_ptr<SegmentFile>> Open(Directory* directory, const Uuid& uuid,
                                                           uint64_t id);
  // Reads `file`, of `size` bytes, as segment `id`.
  SegmentFile(std::unique_ptr<File> file, const Uuid& uuid, uint64_t id, uint64_t size);
  // The same with a file that belongs to the caller and outlives this.
  SegmentFile(const File* file, const Uuid& uuid, uint64_t id, uint64_t size);
  // Which database the file of segment `id` says it belongs to, if its header looks like one. For
  // when MANIFEST is lost.
  static absl::StatusOr<std::optional<Uuid>> ReadUuid(Directory* directory, uint64_t id);

  uint64_t id() const { return id_; }
  std::string name() const { return SegmentName(id_); }
  const Uuid& uuid() const { return uuid_; }
  uint64_t seed() const { return seed_; }
  // Bytes in the file when it was opened.
  uint64_t size() const { return size_; }
  // No record reaches beyond this, however large a sparse file is.
  uint64_t records_limit() const;
  // Its bytes, for what is not covered below.
  SectorReader* bytes() { return &reader_; }

  // A file all of whose bytes are zero was prepared and never born. The header's fields are set if
  // the state is kValid or kTooNew.
  absl::StatusOr<HeaderState> ReadHeader(SegmentHeader* header);

  // The trailer at the file's end, if one verifies there that fits the file. FailedPrecondition if
  // it needs a newer version.
  absl::StatusOr<std::optional<Trailer>> ReadTrailer();

  // Reads the key table that `trailer` describes into `buffer`, which has room for
  // trailer.table_bytes. Returns whether all of it is there and every entry can be: only then may a
  // KeyTableReader be believed. FailedPrecondition if it needs a newer version.
  absl::StatusOr<bool> ReadKeyTable(const Trailer& trailer, char* buffer);
  // The same into a string of that size.
  absl::StatusOr<bool> ReadKeyTable(const Trailer& trailer, std::string* table);

  // The filter of keys that `trailer` describes: nullopt if it does not verify, empty if there is
  // none. Who has none must take it that the segment holds every key.
  absl::StatusOr<std::optional<std::string>> ReadFilter(const Trailer& trailer);

  // Calls `on_record` for one record after the other from `begin` on and returns where they stop:
  // at `end`, or at the first bytes that are no record. FailedPrecondition at a record that needs a
  // newer version.
  absl::StatusOr<uint64_t> ReadPrefix(uint64_t begin, uint64_t end,
                                      absl::FunctionRef<void(const FoundRecord&)> on_record);

  // Calls `on_record` for each record of [begin, end) that verifies and `on_damage` for what lies
  // between them, in order. Stops with the error that a callback returns. FailedPrecondition at a
  // record that needs a newer version.
  absl::Status ForEachRecord(uint64_t begin, uint64_t end,
                             absl::FunctionRef<absl::Status(const FoundRecord&)> on_record,
                             absl::FunctionRef<absl::Status(const FoundDamage&)> on_damage);

  // Reads the record of `bytes` bytes at `offset` as a whole. Returns whether it verifies.
  // FailedPrecondition if it needs a newer version.
  absl::StatusOr<bool> ReadRecord(uint64_t offset, uint64_t bytes, std::string* record,
                                  RecordHeader* header);
  // The same with the length that the record's header gives.
  absl::StatusOr<bool> ReadRecord(uint64_t offset, std::string* record, RecordHeader* header);

  // FailedPrecondition, naming the file, if the record at `offset` needs a newer version.
  absl::Status CheckVersion(const RecordHeader& header, uint64_t offset) const;

  // What lies from `begin` to the end of the file. FailedPrecondition if there is a sync mark that
  // needs a newer version.
  absl::StatusOr<TailTraces> ReadTraces(uint64_t begin);

 private:
  absl::StatusOr<bool> IsAllZero();

  const std::unique_ptr<File> owned_;
  const File* const file_;
  const Uuid uuid_;
  const uint64_t id_;
  const uint64_t seed_;
  const uint64_t size_;
  SectorReader reader_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_SEGMENT_SEGMENT_FILE_H_
