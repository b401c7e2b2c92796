#include "core/log/segment_sealer.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"

#include "core/format/key_table.h"
#include "core/log/segment_scanner.h"

namespace rumcask {
namespace {

constexpr uint64_t kRewrittenAtOnce = uint64_t{1} << 20;
// The footer is written in pieces of about this size, so that sealing takes no memory that grows
// with the segment's size.
constexpr uint64_t kPiece = uint64_t{256} << 10;

}  // namespace

absl::StatusOr<std::optional<Trailer>> SealSegmentFile(File* file, uint64_t segment_seed,
                                                       uint64_t end) {
  KeyTableBuilder builder;
  SectorReader reader(file);
  SegmentScanner scanner(&reader, segment_seed, kSegmentHeaderBytes, end);
  SegmentScanner::Step step;
  absl::Status written;
  uint64_t footer_end = end;
  const auto write = [&](const std::string& piece) {
    // Even without room for the footer every record is verified.
    if (written.ok()) written = file->Write(footer_end, piece);
    footer_end += piece.size();
  };
  while ((step = scanner.Next()) == SegmentScanner::Step::kRecord) {
    builder.Add(scanner.header(), scanner.key());
    if (builder.piece_bytes() >= kPiece) write(builder.TakePiece(segment_seed));
  }
  if (step == SegmentScanner::Step::kError) return scanner.status();
  if (step == SegmentScanner::Step::kInvalid) {
    const bool unreadable = reader.IsUnreadable(scanner.offset(), end);
    return absl::DataLossError(absl::StrCat(
        file->name(), " offset ", scanner.offset(),
        unreadable ? ": a sector of this record cannot be read" : ": record changed under us"));
  }
  const std::string rest = builder.Finish(end, segment_seed);
  Trailer trailer;
  if (!DecodeTrailer(rest.data() + rest.size() - kTrailerBytes, segment_seed,
                     footer_end + rest.size(), &trailer)) {
    return absl::InternalError(absl::StrCat(file->name(), ": footer does not read back"));
  }
  write(rest);
  absl::Status status = file->Truncate(written.ok() ? footer_end : end);
  if (status.ok()) status = file->Sync();
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
