// What core stores in an index on disk, whose keys and values are bytes to the plugin.

#ifndef RUMCASK_CORE_INDEX_INDEX_ENTRY_H_
#define RUMCASK_CORE_INDEX_INDEX_ENTRY_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "core/system/require_cxx17.h"

namespace rumcask {

// The value of an entry: the number of the key's newest record, and where the record is. Unlike a
// Location it names the segment by its id, which is the same at every opening. Encoded as varints:
// number, id, offset / 8, length / 8, the length as in Location.
struct IndexEntry {
  uint64_t sequence = 0;
  uint64_t segment_id = 0;
  uint64_t offset = 0;
  uint64_t length = 0;
};

void AppendIndexEntry(const IndexEntry& entry, std::string* to);
// False if the bytes are no entry.
bool DecodeIndexEntry(std::string_view bytes, IndexEntry* entry);

// The note "position": which history the index belongs to, and how far it goes. All records with
// numbers <= sequence are in the index, and some later ones may be. Copies of a database that were
// both written to have the same incarnation; their last records tell them apart.
struct IndexPosition {
  static constexpr const char* kNote = "position";
  static constexpr uint64_t kFormat = 1;

  uint64_t format = kFormat;
  uint64_t incarnation = 0;
  uint64_t sequence = 0;
  // The newest record whose key the index takes, and its checksum, which covers its number;
  // segment_id is 0 if it is not known.
  uint64_t segment_id = 0;
  uint64_t offset = 0;
  uint64_t length = 0;
  uint64_t checksum = 0;
};

std::string EncodeIndexPosition(const IndexPosition& position);
bool DecodeIndexPosition(std::string_view bytes, IndexPosition* position);

// The note "witness": an entry that must be in the index. It was one of the last changes, or has
// not changed since. An index that lacks it has lost entries, whatever its position says.
struct IndexWitness {
  static constexpr const char* kNote = "witness";

  std::string key;  // empty if there is none, as after everything was deleted
  std::string entry;
};

std::string EncodeIndexWitness(const IndexWitness& witness);
bool DecodeIndexWitness(std::string_view bytes, IndexWitness* witness);

// The note "live": for each segment, by its id, the bytes of the records that entries point at. Of
// an index that does not report what is replaced, only as many as there were at most when they were
// counted last, and of segments that were sealed then.
using LiveBytes = std::map<uint64_t, uint64_t>;
inline constexpr const char* kLiveNote = "live";

std::string EncodeLiveBytes(const LiveBytes& live);
bool DecodeLiveBytes(std::string_view bytes, LiveBytes* live);

}  // namespace rumcask

#endif  // RUMCASK_CORE_INDEX_INDEX_ENTRY_H_
