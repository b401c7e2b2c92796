// An iterator beside the part of a std::map that it should walk.

#ifndef RUMCASK_TESTS_MODEL_MODEL_WALK_H_
#define RUMCASK_TESTS_MODEL_MODEL_WALK_H_

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/db.h"

namespace rumcask {

struct ModelValue {
  std::string value;
  uint64_t version = 0;
};
using ModelMap = std::map<std::string, ModelValue>;

// The keys of `map` that the options ask for.
ModelMap InRange(const ModelMap& map, const IteratorOptions& options);

class ModelWalk {
 public:
  // `expected` is what there is in range. `ordered`: it moves both ways.
  ModelWalk(std::unique_ptr<Iterator> it, ModelMap expected, bool ordered, bool keys_only);

  // These return "" or what differs.

  // A move that may be made now, and where it leads. `targets` are keys to seek.
  std::string Move(const std::vector<std::string>& targets, std::mt19937_64* random);
  // From here to the end; for ordered ones, then back to the beginning.
  std::string Finish();

  bool Valid() const { return it_->Valid(); }

 private:
  std::string Compare();
  std::string CompareOrdered();
  std::string CompareUnordered();
  std::string Next();
  std::string Prev();

  std::unique_ptr<Iterator> it_;
  ModelMap expected_;  // unordered: what has not come yet
  const bool ordered_;
  const bool keys_only_;
  ModelMap::const_iterator at_;  // ordered
};

// A key for messages.
std::string ShownKey(const std::string& key);

}  // namespace rumcask

#endif  // RUMCASK_TESTS_MODEL_MODEL_WALK_H_
