#include "tests/oracle/error_oracle.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"

namespace rumcask {
namespace {

std::string Show(const std::optional<std::string>& value) {
  return value.has_value() ? absl::StrCat("'", value->substr(0, 24), "'") : "missing";
}

std::optional<std::string> ValueOf(const State& state, const std::string& key) {
  const auto at = state.find(key);
  return at == state.end() ? std::nullopt : std::optional<std::string>(at->second);
}

}  // namespace

void ErrorOracle::Note(Operations operations, bool sync, const absl::Status& status) {
  writes_.push_back({std::move(operations), status.ok()});
  if (!status.ok()) ++failed_;
  if (status.ok() && sync) NoteSynced();
}

void ErrorOracle::NoteSynced() { durable_ = writes_.size(); }

std::vector<std::string> ErrorOracle::Keys() const {
  std::set<std::string> keys;
  for (const Write& write : writes_) {
    for (const Operation& operation : write.operations) keys.insert(operation.first);
  }
  return {keys.begin(), keys.end()};
}

State ErrorOracle::Acknowledged() const {
  State state;
  for (const Write& write : writes_) {
    if (write.ok) Apply(write.operations, &state);
  }
  return state;
}

bool ErrorOracle::Allows(const std::string& key, const std::optional<std::string>& value,
                         size_t floor, bool failed_count) const {
  std::optional<std::string> sure;
  bool allowed = false;
  for (size_t i = 0; i < writes_.size(); ++i) {
    const bool must = writes_[i].ok && i < floor;
    if (!must && !writes_[i].ok && !failed_count && i >= settled_) continue;
    for (const auto& [written, now] : writes_[i].operations) {
      if (written != key) continue;
      if (must) {
        // What came before is out of the question.
        sure = now;
        allowed = false;
      } else if (now == value) {
        allowed = true;
      }
    }
  }
  return allowed || sure == value;
}

std::string ErrorOracle::Judge(When when, const State& found,
                               const std::vector<std::string>& unreadable) const {
  const bool failed_count = when != When::kOpen || read_only_;
  const size_t floor = when == When::kPowerCut ? durable_ : writes_.size();
  const std::vector<std::string> keys = Keys();
  for (const std::string& key : keys) {
    if (std::find(unreadable.begin(), unreadable.end(), key) != unreadable.end()) continue;
    const std::optional<std::string> value = ValueOf(found, key);
    if (Allows(key, value, floor, failed_count)) continue;
    return absl::StrCat("key ", key, " is ", Show(value), ", acknowledged was ",
                        Show(ValueOf(Acknowledged(), key)));
  }
  for (const auto& [key, value] : found) {
    if (!std::binary_search(keys.begin(), keys.end(), key)) {
      return absl::StrCat("key ", key, " was never written");
    }
  }
  // A batch whose values are unique is there as a whole or not at all, where nothing came later.
  for (size_t i = 0; i < writes_.size(); ++i) {
    if (writes_[i].operations.size() < 2) continue;
    size_t present = 0;
    size_t expected = 0;
    for (const auto& [key, value] : writes_[i].operations) {
      const bool touched_later =
          std::any_of(writes_.begin() + static_cast<ptrdiff_t>(i) + 1, writes_.end(),
                      [&, k = key](const Write& later) {
                        return std::any_of(later.operations.begin(), later.operations.end(),
                                           [&](const Operation& o) { return o.first == k; });
                      });
      const bool known = std::find(unreadable.begin(), unreadable.end(), key) == unreadable.end();
      if (!value.has_value() || touched_later || !known) continue;
      ++expected;
      if (ValueOf(found, key) == value) ++present;
    }
    if (present != 0 && present != expected) {
      return absl::StrCat("batch ", i, " is there by half: ", present, " of ", expected);
    }
  }
  return "";
}

}  // namespace rumcask
