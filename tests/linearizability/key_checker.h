// Checks the linearizability of one key's events; see linearizability_checker.h.

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
  // 0 means absent.
  uint64_t value = 0;
  // The version of the value, or of the delete before; 0 if no call returned it.
  uint64_t version = 0;
  // The highest version returned so far; the versions of later writes must be higher.
  uint64_t highest = 0;

  bool present() const { return value != 0; }
  friend bool operator==(const KeyState& a, const KeyState& b) {
    return a.value == b.value && a.version == b.version && a.highest == b.highest;
  }
};

// Whether `event` is possible in `*state`; if so, changes the state accordingly.
bool Step(const Event& event, KeyState* state);

// Checks the events of one key. Can be used repeatedly.
class KeyChecker {
 public:
  // Events must be in the order of their threads' calls. Returns nullopt, or what cannot be
  // explained.
  std::optional<std::string> Check(const std::vector<Event>& events);

 private:
  // A possible past: which of the pending calls have taken effect, and the resulting state.
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
  // The slot whose event must take effect before this one's, or -1.
  int after_[kSlots] = {};
  std::vector<Configuration> possible_;
  std::vector<Configuration> visited_;
  std::vector<Configuration> next_;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_LINEARIZABILITY_KEY_CHECKER_H_
