// Keys for tests of indexes.

#ifndef RUMCASK_TESTS_CONFORMANCE_TRYING_KEYS_H_
#define RUMCASK_TESTS_CONFORMANCE_TRYING_KEYS_H_

#include <cstddef>
#include <string>
#include <vector>

namespace rumcask {

// Keys that test an index's handling of order and length: the shortest keys, neighbours, prefixes
// of each other, bytes 0 and 255, and the longest keys. All are different; there are about `count`.
std::vector<std::string> TryingKeys(size_t count, size_t max_key_bytes);

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CONFORMANCE_TRYING_KEYS_H_
