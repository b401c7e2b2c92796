// What core writes into an index on disk: see disk_index.h.

#ifndef RUMCASK_CORE_INDEX_INDEX_ENTRY_H_
#define RUMCASK_CORE_INDEX_INDEX_ENTRY_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "core/system/require_cxx17.h"

namespace rumcask {

// The value of an entry: the number of the key's newest record and where it is. Unlike a Location
// it names the segment by id, which stays. Varints: number, id, offset / 8, length / 8 as in
// Location.
struct IndexEntry {
  uint64_t sequence = 0;
  uint64_t segment_id = 0;
  uint64_t offset = 0;
  uint64_t length = 0;
};

void AppendIndexEntry(const IndexEntry& entry, std::string* to);
// False if the bytes are no entry.
bool DecodeIndexEntry(std::string_view bytes, IndexEntry* entry);

// The note "position": which history the index is a view of, and how far. All records with numbers
// <= sequence are in it; of later ones, some may be. Copies of a database that went on apart have
// the same incarnation; what tells them apart is the last record.
struct IndexPosition {
  static constexpr const char* kNote = "position";
  static constexpr uint64_t kFormat = 1;

  uint64_t format = kFormat;
  uint64_t incarnation = 0;
  uint64_t sequence = 0;
  // The newest record that was meant for the index - longer keys than it takes are not -, and its
  // checksum, which is of its number too; segment_id 0 if it is not known.
  uint64_t segment_id = 0;
  uint64_t offset = 0;
  uint64_t length = 0;
  uint64_t checksum = 0;
};

std::string EncodeIndexPosition(const IndexPosition& position);
bool DecodeIndexPosition(std::string_view bytes, IndexPosition* position);

// The note "witness": an entry that the index was given with its last changes, or earlier and not
// changed since. An index that lacks it has lost others too, whatever its position says.
struct IndexWitness {
  static constexpr const char* kNote = "witness";

  std::string key;  // empty: none, as when everything was deleted
  std::string entry;
};

std::string EncodeIndexWitness(const IndexWitness& witness);
bool DecodeIndexWitness(std::string_view bytes, IndexWitness* witness);

// The note "live": for each segment, by id, the bytes of the records that entries point at.
using LiveBytes = std::map<uint64_t, uint64_t>;
inline constexpr const char* kLiveNote = "live";

std::string EncodeLiveBytes(const LiveBytes& live);
bool DecodeLiveBytes(std::string_view bytes, LiveBytes* live);

}  // namespace rumcask

#endif  // RUMCASK_CORE_INDEX_INDEX_ENTRY_H_
