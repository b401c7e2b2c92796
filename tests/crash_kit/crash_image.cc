#include "tests/crash_kit/crash_image.h"

#include "absl/strings/str_cat.h"

namespace rumcask {
namespace {

using Choice = KeepPolicy::Choice;

KeepPolicy Policy(Choice sectors, Choice sizes, Choice entries) {
  KeepPolicy policy;
  policy.sectors = sectors;
  policy.sizes = sizes;
  policy.entries = entries;
  return policy;
}

const char* NameOf(Choice choice) {
  switch (choice) {
    case Choice::kDurable:
      return "durable";
    case Choice::kNewest:
      return "newest";
    case Choice::kLatestWrites:
      return "latest writes";
    case Choice::kRandom:
      return "random";
  }
  return "?";
}

}  // namespace

KeepPolicy KeepPolicy::DropUnsynced() {
  return Policy(Choice::kDurable, Choice::kDurable, Choice::kDurable);
}

KeepPolicy KeepPolicy::KeepEverything() {
  return Policy(Choice::kNewest, Choice::kNewest, Choice::kNewest);
}

KeepPolicy KeepPolicy::Random(uint64_t seed) {
  KeepPolicy policy = Policy(Choice::kRandom, Choice::kRandom, Choice::kRandom);
  policy.seed = seed;
  return policy;
}

KeepPolicy KeepPolicy::NewDataOldDirectory() {
  return Policy(Choice::kNewest, Choice::kNewest, Choice::kDurable);
}

KeepPolicy KeepPolicy::NewDirectoryOldData() {
  return Policy(Choice::kDurable, Choice::kDurable, Choice::kNewest);
}

KeepPolicy KeepPolicy::DataWithoutSize() {
  return Policy(Choice::kNewest, Choice::kDurable, Choice::kNewest);
}

KeepPolicy KeepPolicy::SizeWithoutData() {
  return Policy(Choice::kDurable, Choice::kNewest, Choice::kNewest);
}

KeepPolicy KeepPolicy::OnlyLatestWrites(int writes) {
  KeepPolicy policy = Policy(Choice::kLatestWrites, Choice::kNewest, Choice::kNewest);
  policy.latest_writes = writes;
  return policy;
}

std::vector<KeepPolicy> KeepPolicy::AllFixed() {
  return {DropUnsynced(),    KeepEverything(),  NewDataOldDirectory(), NewDirectoryOldData(),
          DataWithoutSize(), SizeWithoutData(), OnlyLatestWrites(1),   OnlyLatestWrites(2)};
}

std::string KeepPolicy::ToString() const {
  std::string text = absl::StrCat("sectors=", NameOf(sectors), " sizes=", NameOf(sizes),
                                  " entries=", NameOf(entries));
  if (sectors == Choice::kLatestWrites) absl::StrAppend(&text, " latest_writes=", latest_writes);
  if (sectors == Choice::kRandom || sizes == Choice::kRandom || entries == Choice::kRandom) {
    absl::StrAppend(&text, " seed=", seed);
  }
  return text;
}

Keeper::Keeper(const KeepPolicy& policy, uint64_t first_kept_write)
    : policy_(policy), first_kept_write_(first_kept_write), random_state_(policy.seed) {
  sector_sixteenths_ = DrawSixteenths();
  size_sixteenths_ = DrawSixteenths();
  entry_sixteenths_ = DrawSixteenths();
}

// SplitMix64, because seeding a standard engine would take longer than cutting a small image.
uint64_t Keeper::Next() {
  uint64_t x = (random_state_ += 0x9e3779b97f4a7c15);
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

uint64_t Keeper::DrawSixteenths() {
  constexpr uint64_t kSixteenths[] = {1, 8, 15};
  return kSixteenths[Next() % 3];
}

// If the first draw keeps a change, it is mostly the newest one where most are kept, and mostly one
// in the middle where few are kept.
size_t Keeper::ChooseAtRandom(size_t count, uint64_t sixteenths) {
  if (!Chance(sixteenths)) return 0;
  if (Chance(sixteenths)) return count;
  return 1 + Next() % count;
}

size_t Keeper::ChooseVersion(size_t count, uint64_t newest) {
  switch (policy_.sectors) {
    case Choice::kDurable:
      return 0;
    case Choice::kNewest:
      return count;
    case Choice::kLatestWrites:
      return newest >= first_kept_write_ ? count : 0;
    case Choice::kRandom:
      return ChooseAtRandom(count, sector_sixteenths_);
  }
  return 0;
}

size_t Keeper::ChooseSize(size_t count) {
  if (policy_.sizes == Choice::kDurable || count == 0) return 0;
  return policy_.sizes == Choice::kRandom ? ChooseAtRandom(count, size_sixteenths_) : count;
}

bool Keeper::KeepsEntryOperation() {
  if (policy_.entries == Choice::kDurable) return false;
  return policy_.entries == Choice::kRandom ? Chance(entry_sixteenths_) : true;
}

}  // namespace rumcask
