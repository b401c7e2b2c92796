// Compares an iterator with the part of a std::map that it should visit.

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

// The entries of `map` that an iterator with these options should visit.
ModelMap InRange(const ModelMap& map, const IteratorOptions& options);

class ModelWalk {
 public:
  // `expected` holds the entries in range. `ordered`: the iterator has an order and moves both
  // ways.
  ModelWalk(std::unique_ptr<Iterator> it, ModelMap expected, bool ordered, bool keys_only);

  // Both return what differs, or "".

  // Makes a random move that is possible now and compares. `targets` are keys to seek.
  std::string Move(const std::vector<std::string>& targets, std::mt19937_64* random);
  // Walks to the end and, if ordered, back to the beginning.
  std::string Finish();

  bool Valid() const { return it_->Valid(); }

 private:
  std::string Compare();
  std::string CompareOrdered();
  std::string CompareUnordered();
  std::string Next();
  std::string Prev();

  std::unique_ptr<Iterator> it_;
  ModelMap expected_;  // unordered: the keys not visited yet
  const bool ordered_;
  const bool keys_only_;
  ModelMap::const_iterator at_;  // used only if ordered
};

// The key as it appears in messages.
std::string ShownKey(const std::string& key);

}  // namespace rumcask

#endif  // RUMCASK_TESTS_MODEL_MODEL_WALK_H_
