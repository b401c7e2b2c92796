#include "tests/linearizability/key_checker.h"

#include <algorithm>
#include <utility>

namespace rumcask {
namespace {

// An unknown version may be any; a known one must be this.
bool SameVersion(const Event& event, const KeyState& state) {
  return !event.told_version || state.version == 0 || event.version == state.version;
}

// `event` writes `value`, or deletes the key if it is 0.
bool Write(const Event& event, KeyState* state) {
  if (event.told_existed && event.existed != state->present()) return false;
  if (event.told_version && event.version <= state->highest) return false;
  state->value = event.value;
  state->version = event.told_version ? event.version : 0;
  state->highest = std::max(state->highest, state->version);
  return true;
}

// `event` writes nothing but reports what was there.
bool Observe(const Event& event, const KeyState& state) {
  if (event.told_existed && event.existed != state.present()) return false;
  if (!state.present()) return !event.told_version || event.version == 0;
  return event.version != 0 ? SameVersion(event, state) : !event.told_version;
}

// Whether the key has the version that the call expected; if the key's version is unknown, it may
// have it.
bool Matches(const Event& event, const KeyState& state) {
  if (event.expected == 0 || !state.present()) return event.expected == 0 && !state.present();
  return state.version == 0 || state.version == event.expected;
}

bool Differs(const Event& event, const KeyState& state) {
  if (event.expected == 0 || !state.present()) return event.expected != 0 || state.present();
  return state.version == 0 || state.version != event.expected;
}

}  // namespace

bool Step(const Event& event, KeyState* state) {
  switch (event.kind) {
    case Event::Kind::kRead:
      if (!event.ok) return !state->present();
      return state->value == event.value && SameVersion(event, *state);
    case Event::Kind::kPut:
      return Write(event, state);
    case Event::Kind::kDelete:
      // In a batch a delete is written whether or not the key exists.
      if (!state->present() && event.batch == 0) return Observe(event, *state);
      return Write(event, state);
    case Event::Kind::kPutIfAbsent:
      if (event.ok) return !state->present() && Write(event, state);
      return state->present() && Observe(event, *state);
    case Event::Kind::kCompareAndPut:
      if (event.ok) return Matches(event, *state) && Write(event, state);
      return Differs(event, *state) && Observe(event, *state);
    case Event::Kind::kCompareAndDelete:
      if (!event.ok) return Differs(event, *state) && Observe(event, *state);
      if (!Matches(event, *state)) return false;
      return state->present() ? Write(event, state) : Observe(event, *state);
  }
  return false;
}

bool KeyChecker::Insert(std::vector<Configuration>* set, const Configuration& configuration) {
  for (const Configuration& c : *set) {
    if (c.done == configuration.done && c.state == configuration.state) return false;
  }
  set->push_back(configuration);
  return true;
}

void KeyChecker::Begin(int slot, const Event* event, int after) {
  pending_[slot] = event;
  after_[slot] = after;
}

// Tries all orders in which pending calls can take effect until the call in `slot` has.
void KeyChecker::Explore(const Configuration& from, int slot) {
  if (!Insert(&visited_, from)) return;
  if ((from.done >> slot & 1) != 0) {
    Configuration returned = from;
    returned.done &= ~(uint32_t{1} << slot);
    Insert(&next_, returned);
    return;
  }
  for (int i = 0; i < kSlots; ++i) {
    if (pending_[i] == nullptr || (from.done >> i & 1) != 0) continue;
    if (after_[i] >= 0 && pending_[after_[i]] != nullptr && (from.done >> after_[i] & 1) == 0) {
      continue;
    }
    Configuration to = from;
    if (!Step(*pending_[i], &to.state)) continue;
    to.done |= uint32_t{1} << i;
    Explore(to, slot);
  }
}

bool KeyChecker::Return(int slot) {
  visited_.clear();
  next_.clear();
  for (const Configuration& configuration : possible_) Explore(configuration, slot);
  pending_[slot] = nullptr;
  possible_.swap(next_);
  return !possible_.empty();
}

std::optional<std::string> KeyChecker::Check(const std::vector<Event>& events) {
  // The times at which something begins (even) or returns (odd), with the index of the event. A
  // return and a call at the same time overlap, so calls come first.
  struct Moment {
    uint64_t time;
    bool returns;
    size_t event;
  };
  std::vector<Moment> moments;
  moments.reserve(2 * events.size());
  for (size_t i = 0; i < events.size(); ++i) {
    moments.push_back({events[i].begin, false, i});
    moments.push_back({events[i].end, true, i});
  }
  std::sort(moments.begin(), moments.end(), [](const Moment& a, const Moment& b) {
    if (a.time != b.time) return a.time < b.time;
    if (a.returns != b.returns) return b.returns;
    return a.event < b.event;
  });

  std::fill(std::begin(pending_), std::end(pending_), nullptr);
  possible_.assign(1, Configuration());
  std::vector<int> slots(events.size(), -1);
  for (size_t m = 0; m < moments.size(); ++m) {
    const size_t i = moments[m].event;
    if (!moments[m].returns) {
      int slot = 0;
      while (slot < kSlots && pending_[slot] != nullptr) ++slot;
      if (slot == kSlots) return "too many calls under way at once for this checker";
      slots[i] = slot;
      Begin(slot, &events[i], events[i].after_previous ? slots[i - 1] : -1);
      continue;
    }
    if (Return(slots[i])) continue;
    std::string text = "no order of the calls explains " + ToString(events[i]) + "; before it:";
    for (size_t back = m < 24 ? 0 : m - 24; back < m; ++back) {
      if (moments[back].returns) text += "\n  " + ToString(events[moments[back].event]);
    }
    text += "\nunder way:";
    for (const Event* event : pending_) {
      if (event != nullptr) text += "\n  " + ToString(*event);
    }
    return text;
  }
  return std::nullopt;
}

}  // namespace rumcask
