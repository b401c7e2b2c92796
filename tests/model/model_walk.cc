#include "tests/model/model_walk.h"

#include <iterator>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace rumcask {

std::string ShownKey(const std::string& key) {
  return absl::StrCat("key '", absl::CHexEscape(key.substr(0, 40)), "'",
                      key.size() > 40 ? absl::StrCat(" of ", key.size(), " bytes") : "");
}

ModelMap InRange(const ModelMap& map, const IteratorOptions& options) {
  ModelMap in_range;
  for (const auto& [key, value] : map) {
    if (key < options.lower || (!options.upper.empty() && key >= options.upper)) continue;
    if (absl::StartsWith(key, options.prefix)) in_range.emplace(key, value);
  }
  return in_range;
}

ModelWalk::ModelWalk(std::unique_ptr<Iterator> it, ModelMap expected, bool ordered, bool keys_only)
    : it_(std::move(it)),
      expected_(std::move(expected)),
      ordered_(ordered),
      keys_only_(keys_only),
      at_(expected_.begin()) {}

std::string ModelWalk::Compare() {
  if (!it_->status().ok()) return absl::StrCat("status ", it_->status().ToString());
  return ordered_ ? CompareOrdered() : CompareUnordered();
}

std::string ModelWalk::CompareOrdered() {
  if (!it_->Valid()) {
    return at_ == expected_.end() ? "" : absl::StrCat("ends before ", ShownKey(at_->first));
  }
  const std::string key(it_->key());
  if (at_ == expected_.end()) return absl::StrCat("should have ended at ", ShownKey(key));
  if (key != at_->first) {
    return absl::StrCat("is at ", ShownKey(key), ", not ", ShownKey(at_->first));
  }
  if (it_->version() != at_->second.version) {
    return absl::StrCat(ShownKey(key), ": version ", it_->version(), ", not ", at_->second.version);
  }
  const std::string& value = at_->second.value;
  if (it_->value() != (keys_only_ ? std::string_view() : std::string_view(value))) {
    return absl::StrCat(ShownKey(key), ": another value");
  }
  return "";
}

std::string ModelWalk::CompareUnordered() {
  if (!it_->Valid()) {
    if (expected_.empty()) return "";
    return absl::StrCat("ends without ", ShownKey(expected_.begin()->first));
  }
  const std::string key(it_->key());
  auto found = expected_.find(key);
  if (found == expected_.end()) return absl::StrCat(ShownKey(key), " is too many");
  if (it_->version() != found->second.version) {
    return absl::StrCat(ShownKey(key), ": version ", it_->version(), ", not ",
                        found->second.version);
  }
  const std::string& value = found->second.value;
  if (it_->value() != (keys_only_ ? std::string_view() : std::string_view(value))) {
    return absl::StrCat(ShownKey(key), ": another value");
  }
  expected_.erase(found);
  return "";
}

std::string ModelWalk::Next() {
  if (ordered_) {
    it_->Next();
    ++at_;
    return Compare();
  }
  // Compare removes the current key from expected_, so it must come before the move.
  std::string difference = Compare();
  if (!difference.empty() || !it_->Valid()) return difference;
  it_->Next();
  return it_->Valid() ? "" : Compare();
}

std::string ModelWalk::Prev() {
  it_->Prev();
  // Moving before the first key makes the iterator invalid, which the map shows as end().
  at_ = at_ == expected_.begin() ? expected_.end() : std::prev(at_);
  return Compare();
}

std::string ModelWalk::Move(const std::vector<std::string>& targets, std::mt19937_64* random) {
  if (!ordered_) return it_->Valid() ? Next() : Compare();
  const uint64_t kind = (*random)() % 16;
  if (kind < 7 && it_->Valid()) return Next();
  if (kind < 12 && it_->Valid()) return Prev();
  if (kind == 12) {
    it_->SeekToFirst();
    at_ = expected_.begin();
  } else if (kind == 13) {
    it_->SeekToLast();
    at_ = expected_.empty() ? expected_.end() : std::prev(expected_.end());
  } else {
    std::string target = targets[(*random)() % targets.size()];
    if ((*random)() % 3 == 0) target.push_back('\0');
    if ((*random)() % 16 == 0) target.clear();
    // The target may be the iterator's own key() view.
    if ((*random)() % 8 == 0 && it_->Valid()) {
      target = std::string(it_->key());
      it_->Seek(it_->key());
    } else {
      it_->Seek(target);
    }
    at_ = expected_.lower_bound(target);
  }
  return Compare();
}

std::string ModelWalk::Finish() {
  std::string difference = ordered_ ? Compare() : "";
  while (difference.empty() && it_->Valid()) difference = Next();
  if (!ordered_) return difference.empty() ? Compare() : difference;
  if (!difference.empty()) return difference;
  it_->SeekToLast();
  at_ = expected_.empty() ? expected_.end() : std::prev(expected_.end());
  difference = Compare();
  while (difference.empty() && it_->Valid()) difference = Prev();
  return difference;
}

}  // namespace rumcask
