#include "core/segment/segment_footer.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"

#include "core/format/fuse_filter.h"
#include "core/format/key_table.h"
#include "core/segment/segment_file.h"
#include "core/system/seeded_bug.h"

namespace rumcask {
namespace {

constexpr uint64_t kRewrittenAtOnce = uint64_t{1} << 20;
// The footer is written in pieces of about this size, so that sealing takes no memory that grows
// with the segment's size.
constexpr uint64_t kPiece = uint64_t{256} << 10;

}  // namespace

absl::StatusOr<std::optional<Trailer>> SealSegmentFile(File* file, const Uuid& uuid, uint64_t id,
                                                       uint64_t end) {
  SegmentFile segment(file, uuid, id, end);
  KeyTableBuilder builder;
  FuseFilterBuilder filter;
  absl::Status written;
  uint64_t footer_end = end;
  const auto write = [&](const std::string& piece) {
    // Even without room for the footer every record is verified.
    if (written.ok()) written = file->Write(footer_end, piece);
    footer_end += piece.size();
  };
  const absl::StatusOr<uint64_t> stopped =
      segment.ReadPrefix(kSegmentHeaderBytes, end, [&](const FoundRecord& record) {
        builder.Add(record.header, record.key);
        if (record.header.holds_key()) filter.Add(record.key);
        if (builder.piece_bytes() >= kPiece) write(builder.TakePiece(segment.seed()));
      });
  if (!stopped.ok()) return stopped.status();
  if (*stopped < end) {
    const bool unreadable = segment.bytes()->IsUnreadable(*stopped, end);
    return absl::DataLossError(absl::StrCat(file->name(), " offset ", *stopped,
                                            unreadable
                                                ? ": a sector of this record cannot be read"
                                                : ": record no longer verifies while sealing"));
  }
  const std::string rest = builder.Finish(end, segment.seed(), filter.Finish());
  Trailer trailer;
  if (!DecodeTrailer(rest, segment.seed(), footer_end + rest.size(), &trailer)) {
    return absl::InternalError(absl::StrCat(file->name(), ": footer does not read back"));
  }
  write(rest);
  absl::Status status = file->Truncate(written.ok() ? footer_end : end);
  if (status.ok() && !SeededBug("footer-not-synced")) status = file->Sync();
  if (!status.ok()) return status;
  if (absl::IsResourceExhausted(written)) return std::nullopt;
  if (!written.ok()) return written;
  return trailer;
}

absl::Status RewriteSegmentFile(File* file, uint64_t begin, uint64_t end) {
  std::string piece(static_cast<size_t>(std::min(end - begin, kRewrittenAtOnce)), '\0');
  for (uint64_t at = begin; at < end; at += piece.size()) {
    piece.resize(static_cast<size_t>(std::min(end - at, kRewrittenAtOnce)));
    absl::Status status = file->Read(at, piece.data(), piece.size());
    if (status.ok()) status = file->Write(at, piece);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace rumcask
