// Checks what must hold for any input. Ends the program otherwise, as fuzzers expect.

#ifndef RUMCASK_TESTS_FUZZ_EXPECT_H_
#define RUMCASK_TESTS_FUZZ_EXPECT_H_

#include <cstdlib>
#include <iostream>

#include "absl/status/status.h"

#define RUMCASK_FUZZ_EXPECT(condition) \
  ((condition) ? void() : ::rumcask::FailExpectation(__FILE__, __LINE__, #condition))

#define RUMCASK_FUZZ_EXPECT_OK(expression)                                      \
  do {                                                                          \
    const absl::Status expected_ok = (expression);                              \
    if (!expected_ok.ok()) {                                                    \
      std::cerr << expected_ok << "\n";                                         \
      ::rumcask::FailExpectation(__FILE__, __LINE__, #expression " is not OK"); \
    }                                                                           \
  } while (false)

namespace rumcask {

[[noreturn]] inline void FailExpectation(const char* file, int line, const char* what) {
  std::cerr << file << ":" << line << ": does not hold: " << what << std::endl;
  std::abort();
}

}  // namespace rumcask

#endif  // RUMCASK_TESTS_FUZZ_EXPECT_H_
