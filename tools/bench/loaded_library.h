// What can be told of a shared library this program runs with.

#ifndef RUMCASK_TOOLS_BENCH_LOADED_LIBRARY_H_
#define RUMCASK_TOOLS_BENCH_LOADED_LIBRARY_H_

#include <string>
#include <string_view>

namespace rumcask::bench {

// Whether the loaded library whose file name begins with `name`, such as "librocksdb.so", was built
// with assertions, in words: it was if it refers to the function that a failed one calls.
std::string AssertionsOf(std::string_view name);

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_LOADED_LIBRARY_H_
