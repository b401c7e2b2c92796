#include "core/index/index_entry.h"

#include "core/format/varint.h"

namespace rumcask {

void AppendIndexEntry(const IndexEntry& entry, std::string* to) {
  AppendVarint(to, entry.sequence);
  AppendVarint(to, entry.segment_id);
  AppendVarint(to, entry.offset / 8);
  AppendVarint(to, entry.length / 8);
}

bool DecodeIndexEntry(std::string_view bytes, IndexEntry* entry) {
  if (!ReadVarint(&bytes, &entry->sequence) || !ReadVarint(&bytes, &entry->segment_id) ||
      !ReadVarint(&bytes, &entry->offset) || !ReadVarint(&bytes, &entry->length)) {
    return false;
  }
  // Beyond 32 bits both are nonsense, and times 8 they must not become sense again.
  if (!bytes.empty() || entry->offset >> 32 != 0 || entry->length >> 32 != 0) return false;
  entry->offset *= 8;
  entry->length *= 8;
  return true;
}

std::string EncodeIndexPosition(const IndexPosition& position) {
  std::string bytes;
  AppendVarint(&bytes, position.format);
  AppendVarint(&bytes, position.incarnation);
  AppendVarint(&bytes, position.sequence);
  AppendVarint(&bytes, position.segment_id);
  AppendVarint(&bytes, position.offset);
  AppendVarint(&bytes, position.length);
  AppendVarint(&bytes, position.checksum);
  return bytes;
}

bool DecodeIndexPosition(std::string_view bytes, IndexPosition* position) {
  if (!ReadVarint(&bytes, &position->format)) return false;
  // What comes behind the format may be different then.
  if (position->format != IndexPosition::kFormat) return true;
  return ReadVarint(&bytes, &position->incarnation) && ReadVarint(&bytes, &position->sequence) &&
         ReadVarint(&bytes, &position->segment_id) && ReadVarint(&bytes, &position->offset) &&
         ReadVarint(&bytes, &position->length) && ReadVarint(&bytes, &position->checksum) &&
         bytes.empty();
}

std::string EncodeIndexWitness(const IndexWitness& witness) {
  std::string bytes;
  AppendVarint(&bytes, witness.key.size());
  bytes += witness.key;
  bytes += witness.entry;
  return bytes;
}

bool DecodeIndexWitness(std::string_view bytes, IndexWitness* witness) {
  uint64_t key_bytes;
  if (!ReadVarint(&bytes, &key_bytes) || key_bytes > bytes.size()) return false;
  witness->key = std::string(bytes.substr(0, key_bytes));
  witness->entry = std::string(bytes.substr(key_bytes));
  return true;
}

std::string EncodeLiveBytes(const LiveBytes& live) {
  std::string bytes;
  for (const auto& [id, count] : live) {
    AppendVarint(&bytes, id);
    AppendVarint(&bytes, count);
  }
  return bytes;
}

bool DecodeLiveBytes(std::string_view bytes, LiveBytes* live) {
  live->clear();
  while (!bytes.empty()) {
    uint64_t id;
    uint64_t count;
    if (!ReadVarint(&bytes, &id) || !ReadVarint(&bytes, &count)) return false;
    (*live)[id] = count;
  }
  return true;
}

}  // namespace rumcask
