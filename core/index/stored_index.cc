#include "core/index/stored_index.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "core/format/manifest.h"
#include "core/plugin/disk_index.h"
#include "core/system/random.h"
#include "core/system/seeded_bug.h"

namespace rumcask {
namespace {

// The first batch of a new index: a position, so that what is written later belongs to a history.
class FirstNotes : public IndexBatch {
 public:
  explicit FirstNotes(uint64_t incarnation) { position_.incarnation = incarnation; }
  const std::vector<IndexChange>& changes() const override { return none_; }
  bool wants_replaced() const override { return false; }
  bool Accepts(size_t /*i*/, std::string_view /*before*/) override { return true; }
  std::vector<IndexNote> Notes() override {
    return {{IndexPosition::kNote, EncodeIndexPosition(position_)}};
  }

 private:
  IndexPosition position_;
  const std::vector<IndexChange> none_;
};

// Whether a new index would help. It would not where the system fails for now, in which case the
// old one may be intact.
bool IsBroken(const absl::Status& status) {
  return absl::IsDataLoss(status) || absl::IsFailedPrecondition(status) || absl::IsNotFound(status);
}

// How often opening an index may end the process before it is replaced. A library may crash over a
// damaged file, and would do so at each opening.
constexpr int kMostDeaths = 2;

class OpeningNote {
 public:
  OpeningNote(IndexNotes* notes, std::string keystore, bool read_only)
      : notes_(read_only ? nullptr : notes), keystore_(std::move(keystore)) {
    if (notes_ != nullptr) deaths_ = notes_->BeginOpening(keystore_);
  }
  ~OpeningNote() {
    if (notes_ != nullptr) notes_->EndOpening(keystore_);
  }
  OpeningNote(const OpeningNote&) = delete;
  OpeningNote& operator=(const OpeningNote&) = delete;

  int deaths() const { return deaths_; }

 private:
  IndexNotes* const notes_;
  const std::string keystore_;
  int deaths_ = 0;
};

// The message of `status`, to be appended to a clause; empty if there is none.
std::string Reason(const absl::Status& status) {
  return status.message().empty() ? "" : absl::StrCat(": ", status.message());
}

class Opening {
 public:
  Opening(const KeystoreFactory& factory, const std::string& path, const Log& log,
          IndexNotes* notes, bool read_only)
      : factory_(factory), log_(log), notes_(notes), read_only_(read_only) {
    config_.path = IndexPath(path, factory.traits.name);
    config_.read_only = read_only;
  }

  absl::StatusOr<StoredIndex> Run(bool discard) {
    StoredIndex opened;
    opened.incarnation = log_.live_set().manifest().incarnation;
    const OpeningNote note(notes_, factory_.traits.name, read_only_);
    if (note.deaths() >= kMostDeaths) {
      opened.rebuilt = absl::StrCat("opening it has ended the process ", note.deaths(), " times");
      discard = true;
    }
    if (discard) return Anew(std::move(opened));
    absl::StatusOr<std::unique_ptr<DiskIndex>> index = factory_.open_index(config_);
    if (!index.ok() && !IsBroken(index.status())) return index.status();
    if (index.ok()) {
      opened.index = *std::move(index);
      opened.rebuilt = Judge(&opened);
    } else {
      opened.rebuilt = std::string(index.status().message());
      // An empty reason would mean that the index can be used.
      if (opened.rebuilt.empty()) opened.rebuilt = index.status().ToString();
    }
    if (opened.rebuilt.empty()) return opened;
    if (!read_only_) return Anew(std::move(opened));
    return absl::FailedPreconditionError(
        absl::StrCat(config_.path, ": ", opened.rebuilt,
                     "; to have it made anew, open the database once for writing"));
  }

 private:
  // Returns why the index cannot be used; empty if it can.
  std::string Judge(StoredIndex* opened) const {
    std::string note;
    absl::Status status = opened->index->GetNote(IndexPosition::kNote, /*durable=*/false, &note);
    IndexPosition position;
    if (!status.ok() || !DecodeIndexPosition(note, &position)) {
      return absl::StrCat("it does not say which log it belongs to", Reason(status));
    }
    if (position.format != IndexPosition::kFormat) {
      return absl::StrCat("its format is ", position.format, ", not ", IndexPosition::kFormat);
    }
    const Manifest& manifest = log_.live_set().manifest();
    const uint64_t last_sequence = log_.live_set().recovered().last_sequence;
    if (position.incarnation != manifest.incarnation) {
      return "it is the index of another database, or of a copy's history";
    }
    if (position.sequence < manifest.gc_horizon) {
      return absl::StrCat("it ends at version ", position.sequence,
                          ", and segments with records up to version ", manifest.gc_horizon,
                          " may be gone");
    }
    if (position.sequence > last_sequence && !SeededBug("index-ahead-trusted")) {
      absl::Status drawn = RandomBytes(&opened->incarnation, sizeof opened->incarnation);
      if (!drawn.ok()) return std::string(drawn.message());
      return absl::StrCat("it ends at version ", position.sequence, ", the log at version ",
                          last_sequence);
    }
    if (position.segment_id != 0 && !IsInLog(position)) {
      return "the log has gone on in another way since, as that of a copy does";
    }
    status = opened->index->GetNote(kLiveNote, /*durable=*/false, &note);
    if (status.ok() ? !DecodeLiveBytes(note, &opened->live) : !absl::IsNotFound(status)) {
      return absl::StrCat("its count of live bytes is damaged", Reason(status));
    }
    status = opened->index->GetNote(IndexWitness::kNote, /*durable=*/false, &note);
    IndexWitness& witness = opened->witness;
    if (status.ok() ? !DecodeIndexWitness(note, &witness) : !absl::IsNotFound(status)) {
      return absl::StrCat("its witness is damaged. ", status.message());
    }
    if (!witness.key.empty()) {
      std::string entry;
      status = opened->index->Get(witness.key, &entry);
      if (!status.ok() || entry != witness.entry) {
        return absl::StrCat("it has lost entries. ", status.message());
      }
    }
    opened->position = position.sequence;
    return "";
  }

  // Whether the last record that the index was given is the one that the log has at that place.
  bool IsInLog(const IndexPosition& position) const {
    for (const std::shared_ptr<Segment>& segment : log_.Segments()) {
      if (segment->id() != position.segment_id) continue;
      if (position.offset < kSegmentHeaderBytes || position.offset >= segment->end()) return false;
      RecordBuffer buffer;
      RecordView record;
      const Location location = Location::Make(segment->slot(), position.offset, position.length);
      return segment->Read(location, &buffer, &record).ok() &&
             record.header.checksum == position.checksum;
    }
    return false;
  }

  absl::StatusOr<StoredIndex> Anew(StoredIndex opened) const {
    opened.index.reset();
    opened.live.clear();
    opened.witness = {};
    opened.position = 0;
    absl::Status status = factory_.remove_index(config_.path);
    if (!status.ok()) return status;
    absl::StatusOr<std::unique_ptr<DiskIndex>> index = factory_.open_index(config_);
    if (!index.ok()) return index.status();
    FirstNotes notes(opened.incarnation);
    status = (*index)->Commit(&notes);
    if (status.ok()) status = (*index)->Flush();
    if (!status.ok()) return status;
    opened.index = *std::move(index);
    return opened;
  }

  const KeystoreFactory& factory_;
  const Log& log_;
  IndexNotes* const notes_;
  const bool read_only_;
  DiskIndexConfig config_;
};

}  // namespace

absl::StatusOr<StoredIndex> OpenStoredIndex(const KeystoreFactory& factory, const std::string& path,
                                            const Log& log, IndexNotes* notes, bool read_only,
                                            bool discard) {
  return Opening(factory, path, log, notes, read_only).Run(discard);
}

}  // namespace rumcask
