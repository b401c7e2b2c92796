#include "core/check/segment_copy.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

#include "core/segment/segment_footer.h"

namespace rumcask {
namespace {

constexpr size_t kBuffer = size_t{1} << 20;

}  // namespace

SegmentCopy::SegmentCopy(Directory* into, const Uuid& uuid, uint64_t id, Stream stream,
                         const ChainEnd& predecessor)
    : into_(into), seed_(SegmentSeed(uuid, id)) {
  header_.stream = stream;
  header_.uuid = uuid;
  header_.id = id;
  header_.predecessor_id = predecessor.id;
  header_.predecessor_end = predecessor.end;
  header_.predecessor_checksum = predecessor.checksum;
}

absl::Status SegmentCopy::Add(RecordHeader header, std::string_view key, std::string_view value) {
  header.part = BatchPart::kNone;
  header.value_bytes = static_cast<uint32_t>(value.size());
  if (file_ == nullptr) {
    absl::Status status = Begin(header);
    if (!status.ok()) return status;
  }
  std::string record(header.record_bytes(), '\0');
  EncodeRecordHeader(record.data(), header, seed_ + end_, InnerChecksum(key, value));
  std::copy(key.begin(), key.end(), record.begin() + kRecordHeaderBytes);
  std::copy(value.begin(), value.end(),
            record.begin() + static_cast<ptrdiff_t>(kRecordHeaderBytes + key.size()));
  last_checksum_ = LoadU64(record.data());
  buffer_ += record;
  end_ += record.size();
  return buffer_.size() < kBuffer ? absl::OkStatus() : Flush();
}

absl::Status SegmentCopy::Begin(const RecordHeader& first) {
  absl::StatusOr<std::unique_ptr<File>> file =
      into_->Open(SegmentName(header_.id), OpenMode::kCreateNew);
  if (!file.ok()) return file.status();
  file_ = std::move(*file);
  header_.base_sequence = first.sequence;
  buffer_.resize(kSegmentHeaderBytes);
  EncodeSegmentHeader(header_, buffer_.data());
  return absl::OkStatus();
}

absl::Status SegmentCopy::Flush() {
  absl::Status status = file_->Write(written_, buffer_);
  written_ += buffer_.size();
  buffer_.clear();
  return status;
}

absl::Status SegmentCopy::Finish() {
  absl::Status status = Flush();
  if (!status.ok()) return status;
  absl::StatusOr<std::optional<Trailer>> trailer =
      SealSegmentFile(file_.get(), header_.uuid, header_.id, end_);
  if (!trailer.ok() || trailer->has_value()) return trailer.status();
  return absl::ResourceExhaustedError(absl::StrCat(file_->name(), ": no room for the footer"));
}

}  // namespace rumcask
