// Examines a shared library that this program has loaded.

#ifndef RUMCASK_TOOLS_BENCH_LOADED_LIBRARY_H_
#define RUMCASK_TOOLS_BENCH_LOADED_LIBRARY_H_

#include <string>
#include <string_view>

namespace rumcask::bench {

// A phrase that says whether the loaded library whose file name begins with `name`, such as
// "librocksdb.so", was built with assertions. It was if it refers to the function that a failed
// assertion calls.
std::string AssertionsOf(std::string_view name);

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_LOADED_LIBRARY_H_
