// What must hold for any input; ends the program otherwise, as fuzzers expect.

#ifndef RUMCASK_TESTS_FUZZ_EXPECT_H_
#define RUMCASK_TESTS_FUZZ_EXPECT_H_

#include <cstdio>
#include <cstdlib>

#define RUMCASK_FUZZ_EXPECT(condition)                                                   \
  do {                                                                                   \
    if (!(condition)) {                                                                  \
      std::fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                      \
    }                                                                                    \
  } while (false)

#endif  // RUMCASK_TESTS_FUZZ_EXPECT_H_
