// Linearizability of one key's events; see linearizability_checker.h.

#ifndef RUMCASK_TESTS_LINEARIZABILITY_KEY_CHECKER_H_
#define RUMCASK_TESTS_LINEARIZABILITY_KEY_CHECKER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/linearizability/history.h"

namespace rumcask {

// What a key holds between two operations.
struct KeyState {
  // 0: absent.
  uint64_t value = 0;
  // Of the value, or of the delete before; 0 if no one was told.
  uint64_t version = 0;
  // The highest version told so far: that of a later write is higher.
  uint64_t highest = 0;

  bool present() const { return value != 0; }
  friend bool operator==(const KeyState& a, const KeyState& b) {
    return a.value == b.value && a.version == b.version && a.highest == b.highest;
  }
};

// Whether `event` can happen in `*state`; changes it accordingly if so.
bool Step(const Event& event, KeyState* state);

// Checks the events of one key, as many times as wanted.
class KeyChecker {
 public:
  // Events in the order of their threads' calls. Nothing, or what can't be explained.
  std::optional<std::string> Check(const std::vector<Event>& events);

 private:
  // A possible past: which of the calls under way have taken effect, and what they led to.
  struct Configuration {
    uint32_t done = 0;
    KeyState state;
  };

  void Begin(int slot, const Event* event, int after);
  bool Return(int slot);
  void Explore(const Configuration& from, int slot);
  static bool Insert(std::vector<Configuration>* set, const Configuration& configuration);

  static constexpr int kSlots = 32;

  const Event* pending_[kSlots] = {};
  // The slot whose event must take effect first, or -1.
  int after_[kSlots] = {};
  std::vector<Configuration> possible_;
  std::vector<Configuration> visited_;
  std::vector<Configuration> next_;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_LINEARIZABILITY_KEY_CHECKER_H_
