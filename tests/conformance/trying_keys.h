// Keys for tests of indexes.

#ifndef RUMCASK_TESTS_CONFORMANCE_TRYING_KEYS_H_
#define RUMCASK_TESTS_CONFORMANCE_TRYING_KEYS_H_

#include <cstddef>
#include <string>
#include <vector>

namespace rumcask {

// Keys that try an index's ideas of order and length: the shortest, neighbours, prefixes of each
// other, bytes 0 and 255, and the longest. All different, about `count` of them.
std::vector<std::string> TryingKeys(size_t count, size_t max_key_bytes);

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CONFORMANCE_TRYING_KEYS_H_
