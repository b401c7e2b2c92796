// Bugs put in on purpose, to prove that the tests find them.
//
// In every ordinary build SeededBug is false at compile time. With `--config=seeded_bugs` it is
// true for the one bug that the environment variable RUMCASK_SEEDED_BUG names. For each bug,
// tests/seeded_bugs runs the test that must fail.

#ifndef RUMCASK_CORE_SYSTEM_SEEDED_BUG_H_
#define RUMCASK_CORE_SYSTEM_SEEDED_BUG_H_

#include <cstdlib>
#include <string_view>

namespace rumcask {

#ifdef RUMCASK_SEEDED_BUGS
inline bool SeededBug(std::string_view name) {
  static const char* const chosen = std::getenv("RUMCASK_SEEDED_BUG");
  return chosen != nullptr && name == chosen;
}
#else
constexpr bool SeededBug(std::string_view) { return false; }
#endif

}  // namespace rumcask

#endif  // RUMCASK_CORE_SYSTEM_SEEDED_BUG_H_
