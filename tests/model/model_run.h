// Compares one database with a std::map, from creation through many reopenings.

#ifndef RUMCASK_TESTS_MODEL_MODEL_RUN_H_
#define RUMCASK_TESTS_MODEL_MODEL_RUN_H_

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/db.h"
#include "core/plugin/keystore.h"
#include "tests/crash_kit/adversarial_index.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/model/model_walk.h"

namespace rumcask {

struct ModelSetup {
  KeystoreFactory keystore;
  // Keystores that an opening may use instead, by reindexing.
  std::vector<KeystoreFactory> exchangeable;
  AppendMode append = AppendMode::kMapped;
  ReadMode read = ReadMode::kMapped;
  // The simulated disk of the index, for keystores that have one; null for others. A kill replaces
  // it by a copy in any state.
  std::shared_ptr<AdversarialDisk> index_disk;
  bool index_reports_replaced = true;
};

// The seed determines the whole run. The run stops at the first difference.
class ModelRun {
 public:
  ModelRun(const ModelSetup& setup, uint64_t seed);
  ~ModelRun();

  // Makes `operations` operations in several openings. Returns the first difference, or "".
  std::string Run(int operations);

  // The number of operations made with the setup's own keystore.
  uint64_t operations() const { return operations_; }
  uint64_t reopens() const { return reopens_; }
  uint64_t kills() const { return kills_; }
  uint64_t exchanges() const { return exchanges_; }
  uint64_t comparisons() const { return comparisons_; }
  uint64_t retired_segments() const { return retired_segments_; }

 private:
  using Copy = std::shared_ptr<const ModelMap>;
  struct HeldSnapshot {
    std::shared_ptr<const Snapshot> snapshot;
    Copy map;
  };

  uint64_t Random(uint64_t n) { return random_() % n; }
  bool OneIn(uint64_t n) { return Random(n) == 0; }
  const std::string& AnyKey() { return keys_[Random(keys_.size())]; }
  std::string AnyValue();
  WriteOptions AnyWriteOptions();
  uint64_t VersionOf(const std::string& key) const;
  Copy Now();
  // Sets `*map` to what is there at the time.
  IteratorOptions AnyRange(Copy* map);

  // Notes `what` as the complaint if `good` is false and there is none yet. Returns whether there
  // is still none.
  bool Check(bool good, const std::string& what);
  bool CheckStatus(const absl::Status& status, absl::StatusCode expected, const std::string& what);
  // Checks that the version of a write is higher than all before it.
  void NoteVersion(uint64_t version, const std::string& what);

  void Step();
  void Put();
  void Delete();
  void Batch();
  void PutIfAbsent();
  void CompareAndPut();
  void CompareAndDelete();
  void Refused();
  void Get(const std::string& key);
  void MultiGet();
  void Count();
  void Take();
  void ReadAtSnapshot();
  void NewWalk();
  void MoveWalk();
  void Compact();

  void Open();
  void Reopen();
  void CompareAll();

  bool persistent() const { return options_.keystore->traits.persistent; }

  ModelSetup setup_;
  std::mt19937_64 random_;
  std::vector<std::string> keys_;
  Options options_;
  bool own_keystore_ = true;
  bool ordered_ = false;

  std::unique_ptr<CrashFileSystem> disk_;
  std::unique_ptr<DB> db_;
  ModelMap model_;
  Copy copy_;  // a copy of model_; null if model_ has changed since
  uint64_t last_version_ = 0;
  std::vector<HeldSnapshot> snapshots_;
  std::vector<std::unique_ptr<ModelWalk>> walks_;

  std::string complaint_;
  uint64_t operations_ = 0;
  uint64_t reopens_ = 0;
  uint64_t kills_ = 0;
  uint64_t exchanges_ = 0;
  uint64_t comparisons_ = 0;
  uint64_t retired_segments_ = 0;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_MODEL_MODEL_RUN_H_
