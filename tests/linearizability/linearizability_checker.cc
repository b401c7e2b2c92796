#include "tests/linearizability/linearizability_checker.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tests/linearizability/key_checker.h"

namespace rumcask {
namespace {

bool IsWrite(const Event& event) { return event.kind != Event::Kind::kRead && event.ok; }

// Whether the event stored a record whose version is known.
bool IsVersionedWrite(const Event& event) {
  return IsWrite(event) && event.told_version && event.version != 0;
}

// Gives writes that did not return their version the one that reads saw. A value that was read but
// never written, or that has two versions, is a violation.
std::optional<std::string> LearnVersions(History* history) {
  struct Known {
    uint32_t key;
    uint64_t version;
  };
  std::unordered_map<uint64_t, Known> values;
  for (const Event& event : *history) {
    if (!IsWrite(event) || event.value == 0) continue;
    const Known known{event.key, event.told_version ? event.version : 0};
    if (!values.emplace(event.value, known).second) {
      return "value written twice: " + ToString(event);
    }
  }
  for (const Event& event : *history) {
    if (event.kind != Event::Kind::kRead || !event.ok) continue;
    auto it = values.find(event.value);
    if (it == values.end()) return "value that was never written: " + ToString(event);
    if (it->second.key != event.key) return "value of another key: " + ToString(event);
    if (!event.told_version) continue;
    if (event.version == 0) return "value without version: " + ToString(event);
    if (it->second.version == 0) it->second.version = event.version;
    if (it->second.version != event.version) {
      return "value with two versions, the other " + std::to_string(it->second.version) + ": " +
             ToString(event);
    }
  }
  for (Event& event : *history) {
    if (event.value == 0 || event.told_version) continue;
    if (!IsWrite(event) && event.kind != Event::Kind::kRead) continue;
    event.version = values[event.value].version;
    event.told_version = event.version != 0;
  }
  return std::nullopt;
}

std::optional<std::string> CheckBatches(const History& history) {
  for (size_t i = 1; i < history.size(); ++i) {
    const Event& before = history[i - 1];
    const Event& event = history[i];
    if (event.batch == 0 || event.batch != before.batch) continue;
    if (event.told_version && before.told_version && event.version != before.version + 1) {
      return "versions of a batch are not consecutive: " + ToString(before) + "; " +
             ToString(event);
    }
  }
  return std::nullopt;
}

// Checks the versions of all keys together: they are unique and agree with real time.
std::optional<std::string> CheckVersionOrder(const History& history) {
  std::vector<const Event*> writes;
  std::vector<const Event*> observations;
  for (const Event& event : history) {
    if (IsVersionedWrite(event)) writes.push_back(&event);
    if (event.told_version && event.version != 0) observations.push_back(&event);
  }
  std::sort(writes.begin(), writes.end(),
            [](const Event* a, const Event* b) { return a->version < b->version; });
  for (size_t i = 1; i < writes.size(); ++i) {
    if (writes[i - 1]->version == writes[i]->version) {
      return "one version for two writes: " + ToString(*writes[i - 1]) + "; " +
             ToString(*writes[i]);
    }
  }
  std::sort(writes.begin(), writes.end(),
            [](const Event* a, const Event* b) { return a->begin < b->begin; });
  std::sort(observations.begin(), observations.end(),
            [](const Event* a, const Event* b) { return a->end < b->end; });
  const Event* highest = nullptr;
  auto next = observations.begin();
  for (const Event* write : writes) {
    for (; next != observations.end() && (*next)->end < write->begin; ++next) {
      if (highest == nullptr || (*next)->version > highest->version) highest = *next;
    }
    if (highest != nullptr && highest->version >= write->version) {
      return "version not above one that was there before the call: " + ToString(*highest) +
             "; then " + ToString(*write);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> FindViolation(const History& history) {
  History learned = history;
  std::optional<std::string> violation = LearnVersions(&learned);
  if (!violation.has_value()) violation = CheckBatches(learned);
  if (!violation.has_value()) violation = CheckVersionOrder(learned);
  if (violation.has_value()) return violation;
  std::map<uint32_t, std::vector<Event>> keys;
  for (const Event& event : learned) keys[event.key].push_back(event);
  KeyChecker checker;
  for (const auto& [key, events] : keys) {
    violation = checker.Check(events);
    if (violation.has_value()) return violation;
  }
  return std::nullopt;
}

}  // namespace rumcask
