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
constexpr std::string_view kMagic = "rumcaskM";
constexpr size_t kPreambleBytes = 24;
constexpr size_t kBlockBytes = 4096;
// Bounds the work that a hostile file can cause.
constexpr int kMostTried = 16;
// Far more than the ranges of any real database need; bounds how much of a hostile file is read.
constexpr uint64_t kMaxManifestBytes = uint64_t{256} << 20;

constexpr size_t InBlocks(size_t bytes) {
  return (bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
}

uint64_t BodyChecksum(std::string_view body, uint32_t format) {
  return XXH3_64bits_withSeed(body.data(), body.size(), format);
}

std::string EncodeBody(const Manifest& manifest) {
  std::string body(reinterpret_cast<const char*>(manifest.uuid.data()), manifest.uuid.size());
  AppendVarint(&body, manifest.incarnation);
  AppendVarint(&body, manifest.keystore.size());
  body += manifest.keystore;
  AppendVarint(&body, manifest.max_key_bytes);
  AppendVarint(&body, manifest.highest_id);
  AppendVarint(&body, manifest.durable_sequence);
  AppendVarint(&body, manifest.gc_horizon);
  AppendVarint(&body, manifest.next_sequence);
  body.push_back(manifest.clean ? 1 : 0);
  AppendVarint(&body, manifest.live.size());
  for (const ManifestRange& range : manifest.live) {
    AppendVarint(&body, range.first_id);
    AppendVarint(&body, range.last_id - range.first_id);
    body.push_back(static_cast<char>(range.stream));
    body.push_back(range.sealed ? 1 : 0);
    AppendVarint(&body, range.required_end);
  }
  body.push_back(manifest.keystore_persistent ? 1 : 0);
  return body;
}

bool ReadByte(std::string_view* from, uint8_t* byte) {
  if (from->empty()) return false;
  *byte = static_cast<uint8_t>((*from)[0]);
  from->remove_prefix(1);
  return true;
}

bool DecodeRange(std::string_view* body, uint64_t above, ManifestRange* range) {
  uint64_t count;
  uint8_t stream, sealed;
  if (!ReadVarint(body, &range->first_id) || !ReadVarint(body, &count) ||
      !ReadByte(body, &stream) || !ReadByte(body, &sealed) ||
      !ReadVarint(body, &range->required_end)) {
    return false;
  }
  if (range->first_id <= above || count >= UINT64_MAX - range->first_id ||
      (stream != 1 && stream != 2) || sealed > 1 || (sealed == 0 && count != 0)) {
    return false;
  }
  range->last_id = range->first_id + count;
  range->stream = static_cast<Stream>(stream);
  range->sealed = sealed == 1;
  return true;
}

bool DecodeBody(std::string_view body, Manifest* manifest) {
  if (body.size() < manifest->uuid.size()) return false;
  std::memcpy(manifest->uuid.data(), body.data(), manifest->uuid.size());
  body.remove_prefix(manifest->uuid.size());
  uint64_t name_bytes, ranges;
  uint8_t clean;
  if (!ReadVarint(&body, &manifest->incarnation) || !ReadVarint(&body, &name_bytes) ||
      name_bytes > body.size()) {
    return false;
  }
  manifest->keystore = std::string(body.substr(0, name_bytes));
  body.remove_prefix(name_bytes);
  if (!ReadVarint(&body, &manifest->max_key_bytes) || !ReadVarint(&body, &manifest->highest_id) ||
      !ReadVarint(&body, &manifest->durable_sequence) ||
      !ReadVarint(&body, &manifest->gc_horizon) || !ReadVarint(&body, &manifest->next_sequence) ||
      !ReadByte(&body, &clean) || clean > 1 || !ReadVarint(&body, &ranges)) {
    return false;
  }
  if (manifest->highest_id >= kEndOfNumbers || manifest->durable_sequence >= kEndOfNumbers ||
      manifest->next_sequence >= kEndOfNumbers) {
    return false;
  }
  manifest->clean = clean == 1;
  uint64_t above = 0;
  for (uint64_t i = 0; i < ranges; ++i) {
    ManifestRange range;
    if (!DecodeRange(&body, above, &range) || range.last_id > manifest->highest_id) return false;
    above = range.last_id;
    manifest->live.push_back(range);
  }
  if (body.empty()) {
    // An old MANIFEST without this field. When those were written, only these two keystores had no
    // files of their own.
    manifest->keystore_persistent = manifest->keystore != "hash" && manifest->keystore != "btree";
    return true;
  }
  uint8_t persistent;
  if (!ReadByte(&body, &persistent) || persistent > 1) return false;
  manifest->keystore_persistent = persistent == 1;
  return body.empty();
}

// Decodes the copy at the front of `bytes` and sets `*size` to the bytes that it takes.
absl::Status DecodeCopy(std::string_view bytes, Manifest* manifest, size_t* size) {
  if (bytes.size() < kPreambleBytes || bytes.substr(0, kMagic.size()) != kMagic) {
    return absl::DataLossError("no MANIFEST");
  }
  const uint32_t format = LoadU32(bytes.data() + 8);
  const uint32_t length = LoadU32(bytes.data() + 12);
  if (length > bytes.size() - kPreambleBytes) return absl::DataLossError("length out of range");
  const std::string_view body = bytes.substr(kPreambleBytes, length);
  if (LoadU64(bytes.data() + 16) != BodyChecksum(body, format)) {
    return absl::DataLossError("checksum mismatch");
  }
  if (format != kFormatVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        "format ", format, " is not one this version reads (it reads ", kFormatVersion, ")"));
  }
  if (!DecodeBody(body, manifest)) return absl::DataLossError("malformed (checksum is valid)");
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
  if (sealed && !live.empty() && live.back().sealed && live.back().stream == stream &&
      live.back().last_id + 1 == id) {
    live.back().last_id = id;
    return;
  }
  live.push_back({id, id, stream, sealed, sealed ? 0 : required_end});
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
    if (at != 0 && bytes.substr(at, kMagic.size()) != kMagic) continue;
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
