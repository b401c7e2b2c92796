#include "tests/conformance/tested_keystore.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "core/plugin/keystore.h"

namespace rumcask {
namespace {

std::string Name(std::string_view key) {
  return key.size() <= 40 ? absl::StrCat("key '", absl::CHexEscape(std::string(key)), "'")
                          : absl::StrCat("key of ", key.size(), " bytes");
}

std::string Name(Location location) {
  return location.exists()
             ? absl::StrCat("record ", RecordAt(location), " in slot ", location.slot())
             : "nothing";
}

bool SameRecord(Location a, Location b) {
  return a.exists() == b.exists() && (!a.exists() || RecordAt(a) == RecordAt(b));
}

std::string Differs(std::string_view key, const std::string& what, Location got,
                    Location expected) {
  return absl::StrCat(Name(key), ": ", what, " is ", Name(got), ", not ", Name(expected));
}

}  // namespace

TestedKeystore::TestedKeystore(const KeystoreFactory& factory, uint64_t max_undo_bytes)
    : ordered_(factory.traits.ordered), keystore_(*factory.create({max_undo_bytes})) {}

PreparedKey TestedKeystore::Prepared(std::string_view key) const {
  PreparedKey prepared(key);
  keystore_->Digest(&prepared);
  return prepared;
}

// ---- changing both ----

std::string TestedKeystore::Put(std::string_view key) {
  // The keystore gets a copy of the key that does not outlive the call.
  std::string bytes(key);
  const Location to = PlaceOf(++sequence_);
  const Location before = keystore_->Set(Prepared(bytes), to, sequence_);
  std::fill(bytes.begin(), bytes.end(), '?');
  Entry& entry = map_[std::string(key)];
  const Location expected = std::exchange(entry, {to, sequence_}).location;
  return before == expected ? "" : Differs(key, "what Apply replaced", before, expected);
}

std::string TestedKeystore::Delete(std::string_view key) {
  const Location before = keystore_->Set(Prepared(key), Location(), ++sequence_);
  Location expected;
  auto it = map_.find(key);
  if (it != map_.end()) {
    expected = it->second.location;
    map_.erase(it);
  }
  return before == expected ? "" : Differs(key, "what Apply removed", before, expected);
}

std::string TestedKeystore::Relocate(std::string_view key) {
  const PreparedKey prepared = Prepared(key);
  auto it = map_.find(key);
  if (it == map_.end()) {
    return keystore_->Relocate(prepared, PlaceOf(sequence_), PlaceOf(sequence_, 1))
               ? absl::StrCat(Name(key), ": Relocate moved a key that is not there")
               : "";
  }
  const Location from = it->second.location;
  const Location to = PlaceOf(RecordAt(from), next_slot_++ % Location::kMaxSlots);
  // Every part of a location counts.
  for (const Location wrong : {Location::Make(from.slot() ^ 1, from.offset(), from.length()),
                               Location::Make(from.slot(), from.offset() + 8, from.length()),
                               Location::Make(from.slot(), from.offset(), from.length() + 8)}) {
    if (keystore_->Relocate(prepared, wrong, to)) {
      return absl::StrCat(Name(key), ": Relocate moved a key that is elsewhere");
    }
  }
  if (!keystore_->Relocate(prepared, from, to)) {
    return absl::StrCat(Name(key), ": Relocate did not move it");
  }
  it->second.location = to;
  return "";
}

std::string TestedKeystore::Change(const std::vector<std::string>& keys, std::mt19937_64* random) {
  const std::string& key = keys[(*random)() % keys.size()];
  switch ((*random)() % 6) {
    case 0:
    case 1:
      return Delete(key);
    case 2:
      return Relocate(key);
    default:
      return Put(key);
  }
}

TestedKeystore::Held TestedKeystore::Take() { return {keystore_->TakeSnapshot(sequence_), map_}; }

// ---- comparing ----

std::string TestedKeystore::CompareKey(std::string_view key) const {
  Location got = PlaceOf(0);
  const absl::Status status = keystore_->Get(Prepared(key), &got);
  auto it = map_.find(key);
  if (it == map_.end()) {
    if (status == absl::Status(absl::StatusCode::kNotFound, "")) return "";
    return absl::StrCat(Name(key), ": Get of a key that is not there: ", status.ToString());
  }
  if (!status.ok()) return absl::StrCat(Name(key), ": ", status.ToString());
  const Location expected = it->second.location;
  return got == expected ? "" : Differs(key, "Get", got, expected);
}

std::string TestedKeystore::CompareNow() {
  if (keystore_->KeyCount() != map_.size()) {
    return absl::StrCat("KeyCount is ", keystore_->KeyCount(), ", not ", map_.size());
  }
  for (const auto& [key, entry] : map_) {
    std::string difference = CompareKey(key);
    if (!difference.empty()) return difference;
  }
  return ordered_ ? CompareWalk(Take()) : CompareCursor(map_, nullptr);
}

std::string TestedKeystore::CompareGetAt(const Held& held,
                                         const std::vector<std::string>& keys) const {
  for (const std::string& key : keys) {
    Location got;
    const absl::Status status = keystore_->GetAt(*held.snapshot, Prepared(key), &got);
    auto it = held.map.find(key);
    const bool exists = it != held.map.end();
    if (exists ? !status.ok() : status != absl::Status(absl::StatusCode::kNotFound, "")) {
      return absl::StrCat(Name(key), " at ", held.snapshot->sequence(), ": ", status.ToString());
    }
    if (exists && !SameRecord(got, it->second.location)) {
      return Differs(key, absl::StrCat("GetAt ", held.snapshot->sequence()), got,
                     it->second.location);
    }
  }
  return "";
}

std::string TestedKeystore::CompareWalk(const Held& held) const {
  if (!ordered_) return CompareCursor(held.map, held.snapshot);
  std::string difference = CompareScan(held, /*reverse=*/false);
  if (difference.empty()) difference = CompareScan(held, /*reverse=*/true);
  return difference;
}

std::string TestedKeystore::CompareCursor(const Map& map,
                                          std::shared_ptr<const KeystoreSnapshot> snapshot) const {
  std::vector<Location> found;
  const absl::Status status = WalkAll(*keystore_, std::move(snapshot), &found);
  if (!status.ok()) return absl::StrCat("cursor: ", status.ToString());
  std::multiset<uint64_t> got;
  std::multiset<uint64_t> expected;
  for (const Location location : found) {
    if (!location.exists()) return "cursor: no location";
    got.insert(RecordAt(location));
  }
  for (const auto& [key, entry] : map) expected.insert(RecordAt(entry.location));
  if (got == expected) return "";
  std::vector<uint64_t> surplus;
  std::vector<uint64_t> missing;
  std::set_difference(got.begin(), got.end(), expected.begin(), expected.end(),
                      std::back_inserter(surplus));
  std::set_difference(expected.begin(), expected.end(), got.begin(), got.end(),
                      std::back_inserter(missing));
  return absl::StrCat("cursor: ", got.size(), " locations, not ", expected.size(), "; ",
                      surplus.empty() ? "" : absl::StrCat("record ", surplus[0], " too many; "),
                      missing.empty() ? "" : absl::StrCat("record ", missing[0], " is missing"));
}

std::string TestedKeystore::CompareScan(const Held& held, bool reverse) const {
  std::vector<std::pair<std::string, Entry>> found;
  const absl::Status status = ScanAll(*keystore_, *held.snapshot, reverse, 100, &found);
  if (!status.ok()) return absl::StrCat("scan: ", status.ToString());
  if (reverse) std::reverse(found.begin(), found.end());
  const std::string what =
      absl::StrCat(reverse ? "backwards " : "", "scan at ", held.snapshot->sequence());
  auto it = held.map.begin();
  for (const auto& [key, entry] : found) {
    if (it == held.map.end()) return absl::StrCat(what, ": ", Name(key), " too many");
    if (key != it->first) return absl::StrCat(what, ": ", Name(key), ", not ", Name(it->first));
    if (!SameRecord(entry.location, it->second.location)) {
      return Differs(key, what, entry.location, it->second.location);
    }
    if (entry.sequence != it->second.sequence) {
      return absl::StrCat(what, ": ", Name(key), " has number ", entry.sequence, ", not ",
                          it->second.sequence);
    }
    ++it;
  }
  return it == held.map.end() ? "" : absl::StrCat(what, ": ", Name(it->first), " is missing");
}

absl::Status WalkAll(const Keystore& keystore, std::shared_ptr<const KeystoreSnapshot> snapshot,
                     std::vector<Location>* found) {
  const std::unique_ptr<KeystoreCursor> cursor = keystore.NewCursor(std::move(snapshot));
  if (cursor == nullptr) return absl::InternalError("there is no cursor");
  std::vector<Location> part = {PlaceOf(0)};  // content that Next has to replace
  do {
    absl::Status status = cursor->Next(&part);
    if (!status.ok()) return status;
    found->insert(found->end(), part.begin(), part.end());
  } while (!part.empty());
  return absl::OkStatus();
}

absl::Status ScanAll(const Keystore& keystore, const KeystoreSnapshot& snapshot, bool reverse,
                     size_t limit,
                     std::vector<std::pair<std::string, TestedKeystore::Entry>>* found) {
  KeyBlock block;
  block.Add("has to be replaced", PlaceOf(0), 0);
  std::string last;
  do {
    KeyRange range;
    range.reverse = reverse;
    (reverse ? range.upper : range.lower) = last;
    range.after_lower = !reverse && !last.empty();
    absl::Status status = keystore.Scan(snapshot, range, limit, &block);
    if (!status.ok()) return status;
    if (block.size() > limit) return absl::InternalError("more keys than asked for");
    for (size_t i = 0; i < block.size(); ++i) {
      found->push_back({std::string(block.key(i)), {block.location(i), block.sequence(i)}});
    }
    if (!block.empty()) last = std::string(block.key(block.size() - 1));
  } while (block.size() == limit);
  return absl::OkStatus();
}

}  // namespace rumcask
