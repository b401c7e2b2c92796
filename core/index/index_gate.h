// What a database asks of its index around a write, be it in memory or on disk.
//
// A keystore in memory has nothing to say: it is up to date when Keystore::Set returns. An index
// on disk lies behind buffers, so that a write may have to wait for room in them, looks at a slow
// device before it takes the write lock, and has to be told what the log has got. Each function
// does nothing, or looks into the keystore, where there are no buffers; so nobody else has to know
// which of the two it is. Reads call the keystore itself and pay nothing for this.
//
// The order of a write:
//
//   WaitForRoom     without locks
//   ReadCurrent     without locks, if it matters what the key has at the moment
//   Revalidate      under the write lock, if ReadCurrent or reports_replaced() call for it
//   OnWritten       under the write lock, once the record is in the log and in the keystore
//   AfterWrite      without locks

#ifndef RUMCASK_CORE_INDEX_INDEX_GATE_H_
#define RUMCASK_CORE_INDEX_INDEX_GATE_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "core/index/buffered_index.h"
#include "core/plugin/keystore.h"
#include "core/system/seeded_bug.h"

namespace rumcask {

class IndexGate {
 public:
  // What is to be said of an index beside what its keystore says.
  struct Figures {
    // Whether Keystore::KeyCount is exact; otherwise it is an upper bound.
    bool keys_exact = true;
    // What it takes on disk, and the number through which it is durable there.
    uint64_t file_bytes = 0;
    uint64_t durable_through = 0;
  };

  // The keystore must outlive the gate.
  explicit IndexGate(Keystore* in_memory) : keystore_(in_memory) {}
  explicit IndexGate(BufferedIndex* buffered) : keystore_(buffered), buffered_(buffered) {}
  IndexGate() = default;

  // Whether Keystore::Set returns what was there before, wherever that is, at no further cost.
  // Otherwise who wants to know calls ReadCurrent and Revalidate.
  bool reports_replaced() const { return buffered_ == nullptr; }

  // Waits while the index is far behind. An error tells why there is no writing.
  absl::Status WaitForRoom() {
    return buffered_ == nullptr ? absl::OkStatus() : buffered_->WaitForRoom();
  }

  // Replaces `*state` by where the key is at the moment. That the key is absent is no error.
  absl::Status ReadCurrent(const PreparedKey& key, CurrentState* state) const {
    if (buffered_ != nullptr) return buffered_->ReadCurrent(key, state);
    state->exists = keystore_->Get(key, &state->location).ok();
    return absl::OkStatus();
  }

  // Replaces `*now` by where the key is now, no location if it is absent, going by what ReadCurrent
  // saw if it must. False if only another ReadCurrent can tell.
  bool Revalidate(const PreparedKey& key, const CurrentState& seen, Location* now) const {
    if (buffered_ != nullptr) return buffered_->Revalidate(key, seen, now);
    if (!keystore_->Get(key, now).ok()) *now = Location();
    return true;
  }

  // After a write or whole batch of `bytes` whose last record has the number `sequence` and is at
  // `last`.
  void OnWritten(uint64_t sequence, Location last, uint64_t bytes) {
    if (buffered_ != nullptr) buffered_->OnWritten(sequence, last, bytes);
  }

  // ---- moving records ----
  //
  // For each key, ReadCurrent without locks, then under the write lock Relocate. When a group of
  // keys is done, OnMoved; when all are, OnFence; and then, without locks, WaitApplied.

  // Moves the key from `from` to `to` if it is at `from` now, going by what ReadCurrent saw if it
  // must. False if only another ReadCurrent can tell.
  bool Relocate(const PreparedKey& key, const CurrentState& seen, Location from, Location to,
                Relocation* relocation) {
    if (buffered_ != nullptr) return buffered_->RelocateSeen(key, seen, from, to, relocation);
    if (SeededBug("moved-whatever-is-there")) (void)keystore_->Get(key, &from);
    *relocation = keystore_->Relocate(key, from, to) ? Relocation::kMoved : Relocation::kNone;
    return true;
  }
  // After records were moved; `sequence` is the number of the newest record.
  void OnMoved(uint64_t sequence) {
    if (buffered_ != nullptr) buffered_->OnMoved(sequence);
  }
  // After the fence with the number `sequence` was written at `fence`.
  void OnFence(uint64_t sequence, Location fence) {
    if (buffered_ != nullptr) buffered_->OnFence(sequence, fence);
  }
  // Under the write lock: for each sealed segment, by its id, at most how many bytes of it are
  // live, as was found out under no lock before. A sealed segment never gets more. An index that
  // does not count them itself keeps it for the next opening, together with all that was written
  // before: what was dead by then must not come alive again because a power cut takes back what had
  // replaced it. `*live` becomes an older count or stays, to be freed after the lock.
  void NoteCounted(LiveBytes* live) {
    if (buffered_ != nullptr) buffered_->NoteCounted(live);
  }
  // Returns once a crash would leave an index that has all that was written before that fence. On
  // error it may never come to that.
  absl::Status WaitApplied(uint64_t sequence) {
    return buffered_ == nullptr ? absl::OkStatus() : buffered_->WaitApplied(sequence);
  }

  // Does what the background would, if there is none.
  void AfterWrite() {
    if (buffered_ != nullptr) buffered_->AfterWrite();
  }

  // The keystore led to a record of another key at `location`, called `place` in messages. Returns
  // the error for the reader. An index on disk can't be trusted then, and the next opening builds a
  // new one.
  absl::Status ReportMisdirected(Location location, const std::string& place) const {
    if (buffered_ != nullptr) return buffered_->ReportMisdirected(location);
    return absl::DataLossError(absl::StrCat(place, ": record of another key"));
  }

  // OK, or why the index takes nothing more.
  absl::Status status() const {
    return buffered_ == nullptr ? absl::OkStatus() : buffered_->status();
  }

  Figures Describe() const {
    if (buffered_ == nullptr) return {};
    return {buffered_->counts_exactly(), buffered_->IndexFileBytes(), buffered_->position()};
  }

  // Brings all to the index, as far as the log is durable, and lets go of its files. What the log
  // has is safe whatever this returns: an index that lags behind costs time at the next opening.
  absl::Status Close() { return buffered_ == nullptr ? absl::OkStatus() : buffered_->Close(); }

 private:
  Keystore* keystore_ = nullptr;
  // Null for a keystore in memory.
  BufferedIndex* buffered_ = nullptr;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_INDEX_INDEX_GATE_H_
