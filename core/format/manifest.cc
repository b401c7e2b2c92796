#include "core/format/manifest.h"

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"

#include "core/format/varint.h"
#include "core/system/random.h"
#include "core/system/sector_reader.h"
#include "core/system/seeded_bug.h"
#include "core/system/text.h"

namespace rumcask {
namespace {

// A copy: magic, format, body length, checksum of the body, body.
constexpr std::string_view kMagic = "rumcaskL";
// The first releases' body was laid out in another way.
constexpr std::string_view kEarlyMagic = "rumcaskM";
constexpr size_t kMagicBytes = 8;
constexpr size_t kPreambleBytes = 24;
constexpr size_t kBlockBytes = 4096;
// Bounds the work that a hostile file can cause.
constexpr int kMostTried = 16;
// Far more than the ranges of any real database need; bounds how much of a hostile file is read.
constexpr uint64_t kMaxManifestBytes = uint64_t{256} << 20;

constexpr size_t InBlocks(size_t bytes) {
  return (bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
}

// The flags of a range, besides its stream in the low two bits.
constexpr uint8_t kStreamBits = 3;
constexpr uint8_t kSealed = 4;
constexpr uint8_t kHasEnd = 8;
constexpr uint8_t kHasMore = 16;

uint64_t BodyChecksum(std::string_view body, uint32_t format) {
  return XXH3_64bits_withSeed(body.data(), body.size(), format);
}

std::string EncodeBody(const Manifest& manifest) {
  std::string body(8, '\0');
  StoreU32(body.data(), manifest.features.must_understand);
  StoreU32(body.data() + 4, manifest.features.may_ignore);
  body.append(reinterpret_cast<const char*>(manifest.uuid.data()), manifest.uuid.size());
  AppendVarint(&body, manifest.incarnation);
  AppendVarint(&body, manifest.keystore.size());
  body += manifest.keystore;
  body.push_back(manifest.keystore_persistent ? 1 : 0);
  AppendVarint(&body, manifest.max_key_bytes);
  AppendVarint(&body, manifest.highest_id);
  AppendVarint(&body, manifest.durable_sequence);
  AppendVarint(&body, manifest.gc_horizon);
  AppendVarint(&body, manifest.next_sequence);
  body.push_back(manifest.clean ? 1 : 0);
  AppendVarint(&body, manifest.live.size());
  uint64_t before = 0;
  for (const ManifestRange& range : manifest.live) {
    const bool has_more = range.last_id != range.first_id;
    AppendVarint(&body, range.first_id - before);
    body.push_back(
        static_cast<char>(static_cast<uint8_t>(range.stream) | (range.sealed ? kSealed : 0) |
                          (range.required_end != 0 ? kHasEnd : 0) | (has_more ? kHasMore : 0)));
    if (range.required_end != 0) AppendVarint(&body, range.required_end / 8);
    if (has_more) AppendVarint(&body, range.last_id - range.first_id);
    before = range.last_id;
  }
  AppendVarint(&body, manifest.extensions.size());
  for (const ManifestExtension& extension : manifest.extensions) {
    AppendVarint(&body, extension.tag);
    AppendVarint(&body, extension.bytes.size());
    body += extension.bytes;
  }
  return body;
}

absl::Status Malformed() { return absl::DataLossError("malformed (checksum is valid)"); }
absl::Status NeedsNewer(std::string_view what) {
  return absl::FailedPreconditionError(absl::StrCat(absl::string_view(what.data(), what.size()),
                                                    " that needs a newer version of this program"));
}

// Takes the fields of a body off its front, one after the other. A field that is not there or out
// of range makes all that follow fail.
class BodyReader {
 public:
  explicit BodyReader(std::string_view body) : rest_(body) {}

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }
  void Check(bool condition) { ok_ = ok_ && condition; }

  std::string_view Bytes(uint64_t size) {
    Check(size <= rest_.size());
    if (!ok_) return {};
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }
  uint8_t Byte() {
    const std::string_view byte = Bytes(1);
    return ok_ ? static_cast<uint8_t>(byte[0]) : uint8_t{0};
  }
  bool Bool() {
    const uint8_t byte = Byte();
    Check(byte <= 1);
    return byte == 1;
  }
  uint64_t Varint() {
    uint64_t value = 0;
    ok_ = ok_ && ReadVarint(&rest_, &value);
    return ok_ ? value : 0;
  }
  std::string Text() { return std::string(Bytes(Varint())); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

void ReadUuid(BodyReader* body, Manifest* manifest) {
  const std::string_view uuid = body->Bytes(manifest->uuid.size());
  if (body->ok()) std::memcpy(manifest->uuid.data(), uuid.data(), uuid.size());
}

void ReadNumbers(BodyReader* body, Manifest* manifest) {
  manifest->max_key_bytes = body->Varint();
  manifest->highest_id = body->Varint();
  manifest->durable_sequence = body->Varint();
  manifest->gc_horizon = body->Varint();
  manifest->next_sequence = body->Varint();
  body->Check(std::max({manifest->highest_id, manifest->durable_sequence, manifest->gc_horizon,
                        manifest->next_sequence}) < kEndOfNumbers);
  manifest->clean = body->Bool();
}

// Appends a range that comes behind those there are. False if its stream is unknown.
bool TakeRange(BodyReader* body, uint8_t stream, uint64_t more, ManifestRange range,
               Manifest* manifest) {
  const uint64_t above = manifest->live.empty() ? 0 : manifest->live.back().last_id;
  body->Check(range.first_id > above && range.first_id <= manifest->highest_id &&
              more <= manifest->highest_id - range.first_id && range.required_end < kEndOfNumbers &&
              (more == 0 || (range.sealed && range.required_end == 0)));
  if (!body->ok()) return true;
  range.last_id = range.first_id + more;
  range.stream = static_cast<Stream>(stream);
  manifest->live.push_back(range);
  return range.stream == Stream::kUser || range.stream == Stream::kSurvivor;
}

absl::Status DecodeBody(std::string_view bytes, Manifest* manifest) {
  BodyReader body(bytes);
  const std::string_view features = body.Bytes(8);
  if (!body.ok()) return Malformed();
  manifest->features = {LoadU32(features.data()), LoadU32(features.data() + 4)};
  if (!AreKnownFeatures(manifest->features.must_understand)) return NeedsNewer("has a feature");
  ReadUuid(&body, manifest);
  manifest->incarnation = body.Varint();
  manifest->keystore = body.Text();
  manifest->keystore_persistent = body.Bool();
  ReadNumbers(&body, manifest);
  for (uint64_t left = body.Varint(); left > 0 && body.ok(); --left) {
    ManifestRange range;
    const uint64_t distance = body.Varint();
    const uint64_t before = manifest->live.empty() ? 0 : manifest->live.back().last_id;
    body.Check(distance < kEndOfNumbers);
    range.first_id = before + distance;
    const uint8_t flags = body.Byte();
    if (flags >= 2 * kHasMore) return NeedsNewer("lists a kind of segments");
    range.sealed = (flags & kSealed) != 0;
    if ((flags & kHasEnd) != 0) {
      const uint64_t eighths = body.Varint();
      body.Check(eighths > 0 && eighths < kEndOfNumbers / 8);
      range.required_end = eighths * 8;
    }
    const uint64_t more = (flags & kHasMore) != 0 ? body.Varint() : 0;
    if (!TakeRange(&body, flags & kStreamBits, more, range, manifest)) {
      return NeedsNewer("lists a kind of segments");
    }
  }
  for (uint64_t left = body.Varint(); left > 0 && body.ok(); --left) {
    ManifestExtension extension;
    extension.tag = body.Varint();
    extension.bytes = body.Text();
    body.Check(manifest->extensions.empty() || extension.tag > manifest->extensions.back().tag);
    manifest->extensions.push_back(std::move(extension));
  }
  return body.ok() && body.at_end() ? absl::OkStatus() : Malformed();
}

absl::Status DecodeEarlyBody(std::string_view bytes, Manifest* manifest) {
  BodyReader body(bytes);
  ReadUuid(&body, manifest);
  manifest->incarnation = body.Varint();
  manifest->keystore = body.Text();
  ReadNumbers(&body, manifest);
  for (uint64_t left = body.Varint(); left > 0 && body.ok(); --left) {
    ManifestRange range;
    range.first_id = body.Varint();
    const uint64_t more = body.Varint();
    const uint8_t stream = body.Byte();
    range.sealed = body.Bool();
    range.required_end = body.Varint();
    body.Check(range.required_end % 8 == 0);
    if (!TakeRange(&body, stream, more, range, manifest)) return Malformed();
  }
  // When the last field was not there yet, only these two keystores had no files of their own.
  manifest->keystore_persistent =
      body.ok() && body.at_end() ? manifest->keystore != "hash" && manifest->keystore != "btree"
                                 : body.Bool();
  return body.ok() && body.at_end() ? absl::OkStatus() : Malformed();
}

// Decodes the copy at the front of `bytes` and sets `*size` to the bytes that it takes.
absl::Status DecodeCopy(std::string_view bytes, Manifest* manifest, size_t* size) {
  const std::string_view magic = bytes.substr(0, kMagicBytes);
  if (bytes.size() < kPreambleBytes || (magic != kMagic && magic != kEarlyMagic)) {
    return absl::DataLossError("no MANIFEST");
  }
  const uint32_t format = LoadU32(bytes.data() + 8);
  const uint32_t length = LoadU32(bytes.data() + 12);
  if (length > bytes.size() - kPreambleBytes) return absl::DataLossError("length out of range");
  const std::string_view body = bytes.substr(kPreambleBytes, length);
  if (LoadU64(bytes.data() + 16) != BodyChecksum(body, format)) {
    return absl::DataLossError("checksum mismatch");
  }
  if (!IsReadableFormat(format)) {
    return absl::FailedPreconditionError(absl::StrCat("format ", format,
                                                      " is not one this version reads (it reads ",
                                                      kOldestFormat, " to ", kFormatVersion, ")"));
  }
  absl::Status status =
      magic == kMagic ? DecodeBody(body, manifest) : DecodeEarlyBody(body, manifest);
  if (!status.ok()) return status;
  *size = InBlocks(kPreambleBytes + length);
  if (*size > bytes.size()) return absl::DataLossError("cut short");
  // The rest of the copy's last block must be zero as written, or a flipped bit there would not be
  // noticed.
  for (char c : bytes.substr(0, *size).substr(kPreambleBytes + length)) {
    if (c != 0) return absl::DataLossError("padding is not zero");
  }
  return absl::OkStatus();
}

}  // namespace

const ManifestRange* Manifest::Find(uint64_t id) const {
  auto after = std::upper_bound(live.begin(), live.end(), id,
                                [](uint64_t i, const ManifestRange& r) { return i < r.first_id; });
  if (after == live.begin()) return nullptr;
  const ManifestRange& range = *std::prev(after);
  return id <= range.last_id ? &range : nullptr;
}

void Manifest::Append(uint64_t id, Stream stream, bool sealed, uint64_t required_end) {
  highest_id = std::max(highest_id, id);
  if (sealed && stream == Stream::kUser && !live.empty() && live.back().sealed &&
      live.back().stream == stream && live.back().last_id + 1 == id) {
    live.back().last_id = id;
    return;
  }
  const bool named_by_successor = sealed && stream == Stream::kUser;
  live.push_back({id, id, stream, sealed, named_by_successor ? 0 : required_end});
}

std::string EncodeManifest(const Manifest& manifest) {
  const std::string body = EncodeBody(manifest);
  std::string copy(kPreambleBytes, '\0');
  std::memcpy(copy.data(), kMagic.data(), kMagic.size());
  StoreU32(copy.data() + 8, kFormatVersion);
  StoreU32(copy.data() + 12, static_cast<uint32_t>(body.size()));
  StoreU64(copy.data() + 16, BodyChecksum(body, kFormatVersion));
  copy += body;
  copy.resize(InBlocks(copy.size()));
  return copy + copy;
}

absl::StatusOr<DecodedManifest> DecodeManifest(std::string_view bytes, std::string_view name) {
  DecodedManifest decoded;
  int valid = 0;
  size_t end = 0;
  int tried = 0;
  std::string causes;
  // Every copy begins at a block boundary, so it is looked for at each of them: damage to the first
  // copy, which may say where it ends, must not hide the second.
  for (size_t at = 0; at < bytes.size() && valid < 2 && tried < kMostTried; at += kBlockBytes) {
    const std::string_view magic = bytes.substr(at, kMagicBytes);
    if (at != 0 && magic != kMagic && magic != kEarlyMagic) continue;
    ++tried;
    Manifest manifest;
    size_t size = 0;
    const absl::Status status = DecodeCopy(bytes.substr(at), &manifest, &size);
    if (absl::IsFailedPrecondition(status)) {
      return absl::FailedPreconditionError(absl::StrCat(Text(name), ": ", status.message()));
    }
    if (!status.ok()) {
      absl::StrAppend(&causes, causes.empty() ? "" : "; ", status.message());
      continue;
    }
    if (valid == 0) decoded.manifest = std::move(manifest);
    ++valid;
    end = at + size;
  }
  if (valid == 0) {
    return absl::DataLossError(absl::StrCat(Text(name), ": both copies are damaged (",
                                            bytes.empty() ? "it is empty" : causes, ")"));
  }
  decoded.damaged_copies = 2 - valid;
  if (valid == 2 && bytes.size() > end) decoded.stray_bytes = bytes.size() - end;
  return decoded;
}

absl::Status NewIncarnation(Manifest* manifest) {
  return RandomBytes(&manifest->incarnation, sizeof(manifest->incarnation));
}

absl::StatusOr<DecodedManifest> ReadManifest(Directory* directory) {
  absl::StatusOr<FileToRead> opened = OpenToRead(directory, kManifestName);
  if (!opened.ok()) return opened.status();
  const File& file = *opened->file;
  if (opened->size > kMaxManifestBytes) {
    return absl::DataLossError(
        absl::StrCat(file.name(), ": ", opened->size, " bytes is too large"));
  }
  std::string bytes(opened->size, '\0');
  SectorReader reader(&file);
  const absl::StatusOr<size_t> got = reader.ReadUpTo(0, bytes.data(), bytes.size());
  if (!got.ok()) return got.status();
  bytes.resize(*got);
  absl::StatusOr<DecodedManifest> decoded = DecodeManifest(bytes, file.name());
  // Unreadable bytes were read as zeros, which may happen to be what stood there.
  if (decoded.ok() && reader.IsUnreadable(0, bytes.size())) decoded->damaged_copies = 1;
  if (decoded.ok()) decoded->file_mode = 0600 | (file.mode() & 0666);
  return decoded;
}

absl::Status WriteManifest(Directory* directory, const Manifest& manifest, bool* sync_failed) {
  // If a number is given out again, a new record permanently counts as older than an old one.
  const bool reuses_numbers = manifest.next_sequence <= manifest.durable_sequence;
  if ((reuses_numbers && !SeededBug("repair-numbers-restart")) ||
      manifest.next_sequence >= kEndOfNumbers) {
    return absl::InternalError(absl::StrCat(
        Text(directory->path()), "/MANIFEST: would go on with version ", manifest.next_sequence,
        ", though versions through ", manifest.durable_sequence, " are durable"));
  }
  const auto synced = [sync_failed](absl::Status status) {
    if (!status.ok() && sync_failed != nullptr) *sync_failed = true;
    return status;
  };
  {
    absl::StatusOr<std::unique_ptr<File>> file =
        directory->Open(kManifestNextName, OpenMode::kCreateOrReplace);
    if (!file.ok()) return file.status();
    absl::Status status = (*file)->Write(0, EncodeManifest(manifest));
    if (status.ok()) status = synced((*file)->Sync());
    if (!status.ok()) return status;
  }
  absl::Status status = directory->Rename(kManifestNextName, kManifestName);
  return status.ok() ? synced(directory->Sync()) : status;
}

}  // namespace rumcask
