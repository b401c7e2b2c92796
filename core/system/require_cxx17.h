// Ends a compilation as C++14 or older with one message, instead of the many errors that the other
// public headers would cause. Each of those includes this one first.

#ifndef RUMCASK_CORE_SYSTEM_REQUIRE_CXX17_H_
#define RUMCASK_CORE_SYSTEM_REQUIRE_CXX17_H_

#if __cplusplus < 201703L
#error "rumcask needs C++17: give -std=c++17; for Bazel: build --cxxopt=-std=c++17 in .bazelrc"
// Compilers continue after an #error, but not when a file is missing.
#include "rumcask needs C++17"
#endif

#endif  // RUMCASK_CORE_SYSTEM_REQUIRE_CXX17_H_
