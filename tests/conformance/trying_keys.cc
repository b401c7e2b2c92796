#include "tests/conformance/trying_keys.h"

#include <algorithm>
#include <random>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

namespace rumcask {

std::vector<std::string> TryingKeys(size_t count, size_t max_key_bytes) {
  const auto cut = [&](std::string key) { return key.substr(0, max_key_bytes); };
  std::set<std::string> keys;
  for (const char c : {'\0', '\1', 'a', 'b', '\x7f', '\x80', '\xff'}) {
    for (const size_t n : {1, 2, 3, 15, 16, 17}) keys.insert(cut(std::string(n, c)));
    keys.insert(cut(std::string(1, c) + '\0'));
    keys.insert(cut(std::string(1, c) + '\xff'));
  }
  for (const char c : {'\0', 'm', '\xff'}) keys.insert(std::string(max_key_bytes, c));
  keys.insert(std::string(max_key_bytes - 1, 'm'));
  std::mt19937_64 random(99);
  while (keys.size() < count) {
    std::string key = random() % 2 == 0 ? absl::StrCat("key", random() % (4 * count)) : "";
    for (size_t n = random() % 6 + (key.empty() ? 1 : 0); n > 0; --n) {
      key.push_back(static_cast<char>(random()));
    }
    keys.insert(cut(std::move(key)));
  }
  std::vector<std::string> shuffled(keys.begin(), keys.end());
  std::shuffle(shuffled.begin(), shuffled.end(), random);
  return shuffled;
}

}  // namespace rumcask
