#include "core/segment_sealer.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"

#include "core/key_table.h"
#include "core/segment_scanner.h"

namespace rumcask {
namespace {

constexpr uint64_t kRewrittenAtOnce = uint64_t{1} << 20;

}  // namespace

absl::StatusOr<std::optional<Trailer>> SealSegmentFile(File* file, uint64_t segment_seed,
                                                       uint64_t end) {
  KeyTableBuilder builder;
  SegmentScanner scanner(file, segment_seed, kSegmentHeaderBytes, end);
  SegmentScanner::Step step;
  while ((step = scanner.Next()) == SegmentScanner::Step::kRecord) {
    builder.Add(scanner.header(), scanner.key());
  }
  if (step == SegmentScanner::Step::kError) return scanner.status();
  if (step == SegmentScanner::Step::kInvalid) {
    return absl::DataLossError(
        absl::StrCat(file->name(), " offset ", scanner.offset(), ": record changed under us"));
  }
  Trailer trailer = builder.trailer();
  const std::string footer = builder.Finish(end, segment_seed);
  if (!DecodeTrailer(footer.data() + footer.size() - kTrailerBytes, segment_seed,
                     end + footer.size(), &trailer)) {
    return absl::InternalError(absl::StrCat(file->name(), ": footer does not read back"));
  }
  const absl::Status written = file->Write(end, footer);
  absl::Status status = file->Truncate(written.ok() ? end + footer.size() : end);
  if (status.ok()) status = file->Sync();
  if (!status.ok()) return status;
  if (absl::IsResourceExhausted(written)) return std::nullopt;
  if (!written.ok()) return written;
  return trailer;
}

absl::Status RewriteSegmentFile(File* file, uint64_t end) {
  std::string piece(static_cast<size_t>(std::min(end, kRewrittenAtOnce)), '\0');
  for (uint64_t at = 0; at < end; at += piece.size()) {
    piece.resize(static_cast<size_t>(std::min(end - at, kRewrittenAtOnce)));
    absl::Status status = file->Read(at, piece.data(), piece.size());
    if (status.ok()) status = file->Write(at, piece);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace rumcask
