// One thread's use of a database: random calls of every kind, each recorded with what it saw.

#ifndef RUMCASK_TESTS_LINEARIZABILITY_RECORDING_CLIENT_H_
#define RUMCASK_TESTS_LINEARIZABILITY_RECORDING_CLIENT_H_

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "core/db.h"
#include "tests/linearizability/history.h"

namespace rumcask {

// Must be used by one thread at a time.
class RecordingClient {
 public:
  RecordingClient(uint8_t thread, uint32_t keys, uint64_t seed, HistoryClock* clock);

  // Makes `calls` random calls. May be called again, also with another opening of the database.
  void Run(DB* db, uint64_t calls);
  // Reads every key once by itself and once in a walk.
  void ReadAll(DB* db);

  const History& history() const { return history_; }
  // The first few errors that are wrong in any history: unexpected statuses, mangled values.
  const std::vector<std::string>& errors() const { return errors_; }

 private:
  // A value that is read in place and compared again later.
  struct Held {
    PinnedValue value;
    uint64_t number;
  };

  uint64_t Random(uint64_t below) { return random_() % below; }
  uint32_t RandomKey();
  uint64_t NewValue() { return (uint64_t{thread_} + 1) << 40 | ++values_; }
  uint64_t SomeVersion(uint32_t key);
  WriteOptions SomeWriteOptions();
  void Error(std::string what);
  bool Check(const absl::Status& status, const char* call);

  Event Begin(Event::Kind kind, uint32_t key);
  void End(Event event);
  void EndRead(Event event, const absl::Status& status, std::string_view value,
               std::optional<uint64_t> version);
  void EndWrite(Event event, const absl::Status& status, const WriteResult* result);

  void Get(DB* db, uint32_t key);
  void GetString(DB* db);
  void GetPinned(DB* db);
  void MultiGet(DB* db);
  void Walk(DB* db);
  void Write(DB* db, Event::Kind kind);
  void WriteBatchOfSeveral(DB* db);

  const uint8_t thread_;
  const uint32_t keys_;
  HistoryClock* const clock_;
  std::mt19937_64 random_;
  uint64_t values_ = 0;
  uint64_t batches_ = 0;
  // The version that each key had when this thread last saw it.
  std::vector<uint64_t> seen_;
  std::vector<Held> held_;
  std::string buffer_;
  History history_;
  std::vector<std::string> errors_;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_LINEARIZABILITY_RECORDING_CLIENT_H_
