// Runs the checker on histories made by hand. It must find the bad ones and accept the good ones.

#include "tests/linearizability/linearizability_checker.h"

#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "tests/linearizability/key_checker.h"

namespace rumcask {
namespace {

using Kind = Event::Kind;

// Events of key 0 in the words of the contract. The times come first.
Event At(uint64_t begin, uint64_t end, Kind kind, uint8_t thread = 0) {
  Event event;
  event.begin = begin;
  event.end = end;
  event.kind = kind;
  event.thread = thread;
  event.ok = true;
  return event;
}

Event Put(uint64_t begin, uint64_t end, uint64_t value, uint64_t version, uint8_t thread = 0) {
  Event event = At(begin, end, Kind::kPut, thread);
  event.value = value;
  event.version = version;
  event.told_version = version != 0;
  return event;
}

Event Read(uint64_t begin, uint64_t end, uint64_t value, uint64_t version = 0, uint8_t thread = 1) {
  Event event = At(begin, end, Kind::kRead, thread);
  event.ok = value != 0;
  event.value = value;
  event.version = version;
  event.told_version = version != 0;
  return event;
}

Event Delete(uint64_t begin, uint64_t end, uint64_t version, bool existed) {
  Event event = At(begin, end, Kind::kDelete, 2);
  event.version = version;
  event.told_version = event.told_existed = true;
  event.existed = existed;
  return event;
}

Event Conditional(Event event, bool ok, uint64_t expected, uint64_t version) {
  event.ok = ok;
  event.expected = expected;
  event.version = version;
  event.told_version = true;
  return event;
}

Event CompareAndPut(uint64_t begin, uint64_t end, uint64_t value, uint64_t expected, bool ok,
                    uint64_t version, uint8_t thread) {
  Event event = Conditional(At(begin, end, Kind::kCompareAndPut, thread), ok, expected, version);
  event.value = value;
  return event;
}

Event PutIfAbsent(uint64_t begin, uint64_t end, uint64_t value, bool ok, uint64_t version,
                  uint8_t thread) {
  Event event = Conditional(At(begin, end, Kind::kPutIfAbsent, thread), ok, 0, version);
  event.value = value;
  return event;
}

Event CompareAndDelete(uint64_t begin, uint64_t end, uint64_t expected, bool ok, uint64_t version) {
  return Conditional(At(begin, end, Kind::kCompareAndDelete, 3), ok, expected, version);
}

void ExpectFine(const History& history) {
  const auto violation = FindViolation(history);
  EXPECT_FALSE(violation.has_value()) << *violation;
}

// Expects that there is a violation with this message.
void ExpectBad(const History& history, const std::string& what) {
  const auto violation = FindViolation(history);
  ASSERT_TRUE(violation.has_value());
  EXPECT_NE(violation->find(what), std::string::npos) << *violation;
}

constexpr char kNoOrder[] = "no order of the calls explains";

TEST(LinearizabilityCheckerTest, OneAfterTheOther) {
  ExpectFine({Read(1, 2, 0), Put(3, 4, 10, 1), Read(5, 6, 10, 1), Delete(7, 8, 2, true),
              Read(9, 10, 0), Delete(11, 12, 0, false)});
}

TEST(LinearizabilityCheckerTest, ReadBesideAPutMaySeeEither) {
  ExpectFine({Put(1, 2, 10, 1), Put(3, 8, 11, 2), Read(4, 5, 10, 1), Read(6, 7, 11, 2)});
  ExpectFine({Put(1, 2, 10, 1), Put(3, 8, 11, 2), Read(4, 7, 10, 1, 1), Read(5, 6, 11, 2, 2)});
}

TEST(LinearizabilityCheckerTest, NewThenOldIsFound) {
  ExpectBad({Put(1, 2, 10, 1), Put(3, 8, 11, 2), Read(4, 5, 11, 2), Read(6, 7, 10, 1)}, kNoOrder);
}

TEST(LinearizabilityCheckerTest, StaleReadIsFound) {
  ExpectBad({Put(1, 2, 10, 1), Put(3, 4, 11, 2), Read(5, 6, 10, 1)}, kNoOrder);
  // Found even if no version was ever returned.
  ExpectBad({Put(1, 2, 10, 0), Put(3, 4, 11, 0), Read(5, 6, 10)}, kNoOrder);
  ExpectBad({Put(1, 2, 10, 1), Read(3, 4, 0)}, kNoOrder);
}

TEST(LinearizabilityCheckerTest, ResurrectedValueIsFound) {
  ExpectBad({Put(1, 2, 10, 1), Delete(3, 4, 2, true), Read(5, 6, 10, 1)}, kNoOrder);
}

TEST(LinearizabilityCheckerTest, LostUpdateIsFound) {
  // Both puts report that the key was missing, although one came after the other.
  Event first = Put(1, 2, 10, 1);
  Event second = Put(3, 4, 11, 2);
  first.told_existed = second.told_existed = true;
  ExpectBad({first, second}, kNoOrder);
  second.existed = true;
  ExpectFine({first, second});
  // Even if they overlap, one of them must have seen the other.
  first.end = 4;
  second.existed = false;
  ExpectBad({first, second}, kNoOrder);
}

TEST(LinearizabilityCheckerTest, TwoWinnersOfOneComparisonAreFound) {
  ExpectBad({Put(1, 2, 10, 1), CompareAndPut(3, 6, 11, 1, true, 2, 1),
             CompareAndPut(4, 5, 12, 1, true, 3, 2)},
            kNoOrder);
  ExpectFine({Put(1, 2, 10, 1), CompareAndPut(3, 6, 11, 1, true, 2, 1),
              CompareAndPut(4, 5, 12, 1, false, 2, 2)});
  ExpectBad({PutIfAbsent(1, 4, 10, true, 1, 1), PutIfAbsent(2, 3, 11, true, 2, 2)}, kNoOrder);
  ExpectFine({PutIfAbsent(1, 4, 10, true, 1, 1), PutIfAbsent(2, 3, 11, false, 1, 2)});
}

TEST(LinearizabilityCheckerTest, NeedlessRefusalIsFound) {
  ExpectBad({PutIfAbsent(1, 2, 10, false, 7, 1)}, kNoOrder);
  ExpectBad({Put(1, 2, 10, 1), CompareAndPut(3, 4, 11, 1, false, 1, 1)}, kNoOrder);
  ExpectBad({Put(1, 2, 10, 1), CompareAndDelete(3, 4, 1, false, 1)}, kNoOrder);
}

TEST(LinearizabilityCheckerTest, RefusalNamingTheWrongVersionIsFound) {
  ExpectBad({Put(1, 2, 10, 1), Put(3, 4, 11, 2), PutIfAbsent(5, 6, 12, false, 1, 1)}, kNoOrder);
  ExpectFine({Put(1, 2, 10, 1), Put(3, 4, 11, 2), PutIfAbsent(5, 6, 12, false, 2, 1)});
}

TEST(LinearizabilityCheckerTest, CompareAndDelete) {
  ExpectFine({CompareAndDelete(1, 2, 0, true, 0), Put(3, 4, 10, 1),
              CompareAndDelete(5, 6, 0, false, 1), CompareAndDelete(7, 8, 1, true, 2),
              CompareAndDelete(9, 10, 1, false, 0)});
  ExpectBad({Put(3, 4, 10, 1), CompareAndDelete(5, 6, 0, true, 0)}, kNoOrder);
}

TEST(LinearizabilityCheckerTest, WrongWordAboutADeleteIsFound) {
  ExpectBad({Put(1, 2, 10, 1), Delete(3, 4, 0, false)}, kNoOrder);
  ExpectBad({Delete(3, 4, 1, true)}, kNoOrder);
}

TEST(LinearizabilityCheckerTest, ValuesFromNowhereAreFound) {
  ExpectBad({Read(1, 2, 10, 1)}, "never written");
  Event other = Read(3, 4, 10, 1);
  other.key = 1;
  ExpectBad({Put(1, 2, 10, 1), other}, "another key");
  ExpectBad({Put(1, 2, 10, 1), Read(3, 4, 10, 2)}, "two versions");
}

TEST(LinearizabilityCheckerTest, VersionsThatContradictTimeAreFound) {
  Event other = Put(3, 4, 11, 1);
  other.key = 1;
  ExpectBad({Put(1, 2, 10, 2), other}, "not above");
  other.begin = 2;
  ExpectFine({Put(1, 2, 10, 2), other});
  // A read that ended earlier saw it, although its put ended only later.
  other.begin = 6;
  other.end = 7;
  ExpectBad({Put(1, 9, 10, 2), Read(4, 5, 10, 2), other}, "not above");
  ExpectBad({Put(1, 2, 10, 2), Put(1, 2, 11, 2, 1)}, "one version for two");
}

TEST(LinearizabilityCheckerTest, WritesOfAKeyInAnotherOrderThanTheirVersionsAreFound) {
  // Both puts were pending at once, so time orders nothing, but the reads do.
  ExpectBad({Put(1, 9, 10, 1), Put(1, 9, 11, 2, 3), Read(2, 3, 11), Read(4, 5, 10)}, kNoOrder);
  ExpectFine({Put(1, 9, 10, 1), Put(1, 9, 11, 2, 3), Read(2, 3, 10), Read(4, 5, 11)});
}

TEST(LinearizabilityCheckerTest, BatchNamingAKeyTwice) {
  Event first = Put(1, 6, 10, 1);
  Event second = Put(1, 6, 11, 2);
  first.batch = second.batch = 1;
  second.after_previous = true;
  ExpectFine({first, second, Read(2, 3, 10), Read(4, 5, 11), Read(7, 8, 11, 2)});
  ExpectBad({first, second, Read(2, 3, 11), Read(4, 5, 10)}, kNoOrder);
  ExpectBad({first, second, Read(7, 8, 10)}, kNoOrder);
  second.version = 3;
  ExpectBad({first, second}, "not consecutive");
}

// Histories of registers under a lock are linearizable, however the calls overlap. If one answer is
// changed so that no order explains it, the same search finds that.
TEST(LinearizabilityCheckerTest, HistoriesOfARealRegister) {
  int found = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    std::mt19937_64 random(seed);
    KeyState state;
    History history;
    uint64_t version = 0;
    uint64_t busy_until[8] = {};
    for (uint64_t instant = 100; instant < 20000; instant += 1 + random() % 40) {
      const uint8_t thread = static_cast<uint8_t>(random() % 8);
      if (busy_until[thread] >= instant) continue;
      Event event = At(std::max(busy_until[thread] + 1, instant - random() % 90),
                       instant + random() % 90, static_cast<Kind>(random() % 6), thread);
      busy_until[thread] = event.end;
      event.expected = random() % 2 == 0 ? state.version : random() % (version + 1);
      if (!state.present() && random() % 2 == 0) event.expected = 0;
      const bool present = state.present();
      const uint64_t current = present ? state.version : 0;
      bool writes = true;
      switch (event.kind) {
        case Kind::kRead:
          event.ok = present;
          writes = false;
          break;
        case Kind::kPut:
          break;
        case Kind::kDelete:
          writes = present;
          break;
        case Kind::kPutIfAbsent:
          event.ok = writes = !present;
          break;
        case Kind::kCompareAndPut:
          event.ok = writes = event.expected == current;
          break;
        case Kind::kCompareAndDelete:
          event.ok = event.expected == current;
          writes = event.ok && present;
          break;
      }
      const bool deletes = event.kind == Kind::kDelete || event.kind == Kind::kCompareAndDelete;
      if (event.kind == Kind::kRead) {
        event.value = state.value;
      } else if (!deletes) {
        event.value = 1000 + version + random() % 1000 * 100000 + instant * 1000000000;
      }
      if (writes) {
        ++version;
        state.value = deletes ? 0 : event.value;
        state.version = version;
      }
      event.version = writes ? version : current;
      if (deletes && !writes && event.ok) event.version = 0;
      event.told_version = random() % 3 != 0;
      event.told_existed = event.kind != Kind::kRead && random() % 2 == 0;
      event.existed = present;
      if (!event.told_version) event.version = 0;
      history.push_back(event);
    }
    ExpectFine(history);
    // Now one read returns what was there well before it began.
    std::vector<size_t> reads;
    for (size_t i = 0; i < history.size(); ++i) {
      if (history[i].kind == Kind::kRead) reads.push_back(i);
    }
    Event& lie = history[reads[reads.size() * 3 / 4]];
    const Event& truth = history[reads[reads.size() / 4]];
    if (lie.value == truth.value) continue;
    lie.value = truth.value;
    lie.ok = truth.ok;
    lie.version = 0;
    lie.told_version = false;
    // A key that was missing then may be missing again.
    const bool must_find = truth.ok;
    const bool finds = FindViolation(history).has_value();
    EXPECT_TRUE(finds || !must_find) << "seed " << seed;
    if (finds) ++found;
  }
  EXPECT_GT(found, 150);
}

}  // namespace
}  // namespace rumcask
