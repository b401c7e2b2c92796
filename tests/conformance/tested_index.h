// An index on disk together with std::maps of what it should hold.

#ifndef RUMCASK_TESTS_CONFORMANCE_TESTED_INDEX_H_
#define RUMCASK_TESTS_CONFORMANCE_TESTED_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/plugin/disk_index.h"
#include "core/plugin/keystore.h"

namespace rumcask {

using BytesMap = std::map<std::string, std::string, std::less<>>;

// A batch made from maps, in which an empty value means removal. Records what the index calls, and
// in which order.
class TestBatch : public IndexBatch {
 public:
  // Whether to make the change of `key`, whose value is `before` now.
  using Judge = std::function<bool(std::string_view key, std::string_view before)>;

  TestBatch(const BytesMap& changes, const BytesMap& notes);

  // Makes wants_replaced() true.
  void Ask(Judge judge) { judge_ = std::move(judge); }

  const std::vector<IndexChange>& changes() const override { return changes_; }
  bool wants_replaced() const override { return judge_ != nullptr; }
  bool Accepts(size_t i, std::string_view before) override;
  std::vector<IndexNote> Notes() override;

  // "" or how the index violated what core/plugin/disk_index.h says.
  std::string Violation() const;

 private:
  const BytesMap bytes_;
  const BytesMap notes_;
  std::vector<IndexChange> changes_;
  Judge judge_;
  std::vector<int> asked_;
  int notes_asked_ = 0;
  bool asked_after_notes_ = false;
};

absl::StatusOr<std::unique_ptr<DiskIndex>> OpenIndex(const KeystoreFactory& factory,
                                                     const std::string& path,
                                                     bool read_only = false);

// The content of an index, as far as it can be read.
struct IndexContents {
  BytesMap entries;
  // Only the notes whose names were given.
  BytesMap notes;
};
absl::Status ReadAll(const DiskIndex& index, const std::vector<std::string>& notes,
                     IndexContents* contents);

// Reads the range, in the range's direction.
absl::Status ScanRange(const DiskIndex& index, const KeyRange& range, size_t limit,
                       std::vector<std::pair<std::string, std::string>>* rows);

class TestedIndex {
 public:
  // Ends the test program if the index cannot be opened.
  TestedIndex(const KeystoreFactory& factory, std::string path);

  DiskIndex& index() { return *index_; }
  const BytesMap& entries() const { return entries_; }

  // These change both the index and the maps. Each returns "" or what went wrong.
  std::string Apply(const BytesMap& changes, const BytesMap& notes = {});
  std::string ApplyAtRandom(const std::vector<std::string>& keys, size_t most_changes,
                            std::mt19937_64* random);
  // Flushes, so that everything applied must still be there, and opens the index again.
  std::string FlushAndReopen();

  // Compares the results of every function of the index.
  std::string Compare() const;

 private:
  const KeystoreFactory factory_;
  const std::string path_;
  std::unique_ptr<DiskIndex> index_;
  BytesMap entries_;
  BytesMap notes_;
};

// A value of 1 to 63 arbitrary bytes.
std::string TryingValue(std::mt19937_64* random);

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CONFORMANCE_TESTED_INDEX_H_
