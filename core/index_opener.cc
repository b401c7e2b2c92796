#include "core/index_opener.h"

#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "core/seeded_bug.h"

namespace rumcask {
namespace {

// What begins an index: a position, so that what is written later belongs to a history.
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

// Whether making a new index can help. It can't where the system refuses.
bool IsBroken(const absl::Status& status) {
  return !absl::IsResourceExhausted(status) && !absl::IsPermissionDenied(status);
}

// What follows a sentence that `status` may explain.
std::string Reason(const absl::Status& status) {
  return status.message().empty() ? "" : absl::StrCat(": ", status.message());
}

class Opener {
 public:
  Opener(const KeystoreFactory& factory, const std::string& path, const RecoveredLog& log,
         bool read_only)
      : factory_(factory), log_(log), read_only_(read_only) {
    config_.path = IndexPath(path, factory.traits.name);
    config_.read_only = read_only;
  }

  absl::StatusOr<OpenedIndex> Run(bool discard) {
    OpenedIndex opened;
    if (discard) return Anew(std::move(opened));
    absl::StatusOr<std::unique_ptr<DiskIndex>> index = factory_.open_index(config_);
    if (!index.ok() && !IsBroken(index.status())) return index.status();
    if (index.ok()) {
      opened.index = *std::move(index);
      opened.rebuilt = Judge(&opened);
    } else {
      opened.rebuilt = std::string(index.status().message());
      // Not to be taken for an index that is of use.
      if (opened.rebuilt.empty()) opened.rebuilt = index.status().ToString();
    }
    if (opened.rebuilt.empty()) return opened;
    if (!read_only_) return Anew(std::move(opened));
    return absl::FailedPreconditionError(
        absl::StrCat(config_.path, ": ", opened.rebuilt,
                     "; to have it made anew, open the database once for writing"));
  }

 private:
  // Why the index is of no use; empty if it is.
  std::string Judge(OpenedIndex* opened) const {
    std::string note;
    absl::Status status = opened->index->GetNote(IndexPosition::kNote, /*durable=*/false, &note);
    IndexPosition position;
    if (!status.ok() || !DecodeIndexPosition(note, &position)) {
      return absl::StrCat("nothing tells what it is an index of", Reason(status));
    }
    if (position.format != IndexPosition::kFormat) {
      return absl::StrCat("its format is ", position.format, ", not ", IndexPosition::kFormat);
    }
    if (position.incarnation != log_.manifest.incarnation) {
      return "it is the index of another database, or of a copy's history";
    }
    if (position.sequence < log_.manifest.gc_horizon) {
      return absl::StrCat("it ends at version ", position.sequence,
                          ", and segments with records up to version ", log_.manifest.gc_horizon,
                          " may be gone");
    }
    if (position.sequence > log_.last_sequence && !SeededBug("index-ahead-trusted")) {
      opened->was_ahead = true;
      return absl::StrCat("it ends at version ", position.sequence, ", the log at version ",
                          log_.last_sequence);
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

  absl::StatusOr<OpenedIndex> Anew(OpenedIndex opened) const {
    opened.index.reset();
    opened.live.clear();
    opened.witness = {};
    opened.position = 0;
    absl::Status status = factory_.remove_index(config_.path);
    if (!status.ok()) return status;
    absl::StatusOr<std::unique_ptr<DiskIndex>> index = factory_.open_index(config_);
    if (!index.ok()) return index.status();
    FirstNotes notes(log_.manifest.incarnation);
    status = (*index)->Apply(&notes);
    if (status.ok()) status = (*index)->Flush();
    if (!status.ok()) return status;
    opened.index = *std::move(index);
    return opened;
  }

  const KeystoreFactory& factory_;
  const RecoveredLog& log_;
  const bool read_only_;
  DiskIndexConfig config_;
};

}  // namespace

std::string IndexPath(const std::string& path, const std::string& keystore) {
  return absl::StrCat(path, "/index/", keystore);
}

void RemoveIndexesBut(const std::string& path, const std::string& keystore) {
  std::error_code error;
  std::vector<std::filesystem::path> others;
  for (std::filesystem::directory_iterator it(path + "/index", error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().filename() != keystore) others.push_back(it->path());
  }
  for (const std::filesystem::path& other : others) std::filesystem::remove_all(other, error);
}

absl::StatusOr<OpenedIndex> OpenIndex(const KeystoreFactory& factory, const std::string& path,
                                      const RecoveredLog& log, bool read_only, bool discard) {
  return Opener(factory, path, log, read_only).Run(discard);
}

}  // namespace rumcask
