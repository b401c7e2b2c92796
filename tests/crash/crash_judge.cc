#include "tests/crash/crash_judge.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

#include "core/check/verify.h"
#include "core/damage.h"
#include "core/format/manifest.h"
#include "core/stats.h"
#include "core/testing/map_keystore.h"

namespace rumcask {
namespace {

// A crash during reindexing may leave the old keystore. Either keystore must then be able to open
// the database; `number` alternates between them.
void ChooseKeystore(uint64_t number, Options* options) {
  auto stored = DB::StoredKeystore(kCrashPath, options->file_system);
  if (!stored.ok() || *stored == options->keystore->traits.name) return;
  options->reindex = true;
  if (number % 2 == 0) options->keystore = TestKeystore();
}

// Whether a compaction has moved records. Until its victims are gone they are there twice, and of
// two copies the index may have either.
bool HasSurvivors(FileSystem* file_system) {
  auto directory = file_system->OpenDirectory(kCrashPath);
  if (!directory.ok()) return false;
  const auto manifest = ReadManifest(directory->get());
  return manifest.ok() &&
         std::any_of(manifest->manifest.live.begin(), manifest->manifest.live.end(),
                     [](const ManifestRange& r) { return r.stream == Stream::kSurvivor; });
}

// Closes the database and compares the index's count of live bytes in each segment with a count
// from the log alone. Where the index only has a bound, no segment must have more.
std::string CheckLiveBytes(std::unique_ptr<DB> db, const Options& options) {
  const bool exact = db->GetStats().live_bytes_exact;
  const absl::Status closed = db->Close();
  if (!closed.ok()) return absl::StrCat("close: ", closed.ToString());
  auto again = DB::Open(kCrashPath, options);
  if (!again.ok()) return absl::StrCat("open after close: ", again.status().ToString());
  const Stats told = (*again)->GetStats();
  again->reset();
  Options by_log = options;
  by_log.keystore = TestKeystore();
  auto counted = DB::OpenReadOnly(kCrashPath, by_log);
  if (!counted.ok()) return absl::StrCat("read-only open: ", counted.status().ToString());
  const Stats stats = (*counted)->GetStats();
  if (exact && told.keys != stats.keys) {
    return absl::StrCat("the index has ", told.keys, " keys, the log ", stats.keys);
  }
  if (exact ? told.live_bytes != stats.live_bytes : told.live_bytes < stats.live_bytes) {
    return absl::StrCat("live bytes: ", told.live_bytes, ", by the log ", stats.live_bytes);
  }
  if (HasSurvivors(options.file_system)) return "";
  for (const SegmentStats& segment : stats.segments) {
    for (const SegmentStats& other : told.segments) {
      if (other.id == segment.id && (exact ? other.live_bytes != segment.live_bytes
                                           : other.live_bytes < segment.live_bytes)) {
        return absl::StrCat("live bytes of segment ", segment.id, ": ", other.live_bytes,
                            ", by the log ", segment.live_bytes);
      }
    }
  }
  return "";
}

absl::Status Read(DB* db, Contents* contents) {
  const absl::Status status = ReadAll(db, &contents->state);
  return status.ok() ? ReadVersions(db, contents->state, &contents->versions) : status;
}

std::string VerifyAll(DB* db) {
  auto verified = db->Verify();
  if (!verified.ok()) return absl::StrCat("verify: ", verified.status().ToString());
  return verified->clean()
             ? ""
             : absl::StrCat("verify: ", DamageStatus(verified->damages[0]).ToString());
}

}  // namespace

void CrashJudge::Check(const CrashRun::Cut& cut) {
  ++report_->images;
  const std::string why = cut.killed != nullptr ? InspectKilled(cut) : InspectCut(cut);
  if (why.empty()) return;
  if (report_->violations++ == 0) {
    report_->first_violation = absl::StrCat(modes_.ToString(), ", operation ", cut.operation, " (",
                                            cut.what, "), ", cut.policy, ": ", why);
  }
}

std::string CrashJudge::OpenAndRead(const Options& options, const PrefixOracle& oracle,
                                    uint64_t floor, std::unique_ptr<DB>* db, Contents* found,
                                    uint64_t* cut) {
  auto opened = DB::Open(kCrashPath, options);
  if (!opened.ok()) return absl::StrCat("open: ", opened.status().ToString());
  *db = std::move(*opened);
  const absl::Status status = Read(db->get(), found);
  if (!status.ok()) return absl::StrCat("read: ", status.ToString());
  std::string why;
  return oracle.Explains(found->state, found->versions, floor, cut, &why) ? "" : why;
}

std::string CrashJudge::InspectCut(const CrashRun::Cut& cut) {
  CrashFileSystem file_system(cut.image);
  const std::shared_ptr<AdversarialDisk> index = cut.index;
  Options options = CrashOptions(modes_, &file_system, index.get());
  ChooseKeystore(cut.operation, &options);
  std::unique_ptr<DB> db;
  Contents found;
  uint64_t prefix = 0;
  std::string why = OpenAndRead(options, oracle_, cut.promise.synced, &db, &found, &prefix);
  if (why.empty()) why = VerifyAll(db.get());
  if (!why.empty()) return why;

  // The first write commits the recovery, so crashes are simulated at every operation of it.
  std::vector<Remains> second;
  uint64_t fate = cut.operation;
  const auto remains = [&](const KeepPolicy& policy) {
    // The index is copied first, so that it is never newer than the log.
    std::shared_ptr<AdversarialDisk> part;
    ++fate;
    if (index != nullptr) part = index->Cut(kAllFates[fate % std::size(kAllFates)], fate);
    return Remains{file_system.Cut(policy), part};
  };
  if (cut.deepens) {
    file_system.SetObserver([&](uint64_t, const char*, const std::string&, bool after) {
      if (!after) return;
      second.push_back(remains(KeepPolicy::DropUnsynced()));
      second.push_back(remains(KeepPolicy::KeepEverything()));
      second.push_back(remains(KeepPolicy::Random(second.size())));
    });
  }
  WriteResult result;
  const absl::Status put = db->Put("written after", "the crash", {/*sync=*/true}, &result);
  file_system.SetObserver(nullptr);
  if (!put.ok()) return absl::StrCat("put after recovery: ", put.ToString());
  Contents extended = found;
  extended.state["written after"] = "the crash";
  extended.versions["written after"] = result.version;
  // A power cut now must keep this write, and must not bring back what the first one lost.
  for (const KeepPolicy& policy : {KeepPolicy::DropUnsynced(), KeepPolicy::KeepEverything(),
                                   KeepPolicy::Random(cut.operation)}) {
    why = Expect(remains(policy), {extended}, "after the synced put");
    if (!why.empty()) return why;
  }
  if (cut.operation % 16 == 0) {
    // What the crash has left is compacted, and a power cut follows.
    const absl::Status compacted = db->CompactAll();
    if (!compacted.ok()) return absl::StrCat("compaction after recovery: ", compacted.ToString());
    Contents now;
    const absl::Status status = Read(db.get(), &now);
    if (!status.ok()) return absl::StrCat("read after the compaction: ", status.ToString());
    if (now.state != extended.state || now.versions != extended.versions) {
      return "the compaction after recovery changed the contents";
    }
    why =
        Expect(remains(KeepPolicy::Random(cut.operation + 1)), {extended}, "after the compaction");
    if (!why.empty()) return why;
  }
  if (index != nullptr) why = CheckLiveBytes(std::move(db), options);
  if (!why.empty()) return why;
  db.reset();
  for (const Remains& image : second) {
    ++report_->second_images;
    why = Expect(image, {found, extended}, "after a crash in recovery");
    if (!why.empty()) return why;
  }
  return "";
}

namespace {

// What the process after the kill does, in one of three ways: it syncs at once, it writes first, or
// it closes the database.
absl::Status GoOn(uint64_t way, PrefixOracle* oracle) {
  absl::Status status;
  if (way == 0) {
    status = oracle->Sync();
  } else if (way == 1) {
    status = oracle->Put("after the kill", "not synced");
    // This value is larger than a segment.
    if (status.ok()) status = oracle->Put("large", std::string(5000, 'l'));
    if (status.ok()) status = oracle->Write({{"part 1", "1"}, {"part 2", std::nullopt}});
  }
  if (status.ok()) status = oracle->Put("key1", "after the kill", /*sync=*/way != 2);
  if (status.ok()) status = oracle->Put("last", "not synced");
  return status.ok() && way == 2 ? oracle->Close() : status;
}

}  // namespace

std::string CrashJudge::InspectKilled(const CrashRun::Cut& cut) {
  CrashFileSystem& files = *cut.killed;
  const std::shared_ptr<AdversarialDisk> index = cut.index;
  PrefixOracle after(oracle_, cut.promise);
  uint64_t floor = cut.promise.synced;
  std::vector<Later> later;
  uint64_t fate = cut.operation;
  const auto remember = [&](const std::string& what) {
    if (!cut.deepens) return;
    // The promise is read before the images are taken: a write acknowledged meanwhile is in the
    // images but not required.
    const uint64_t promised = std::max(floor, after.promise().synced);
    for (const KeepPolicy& policy : {KeepPolicy::DropUnsynced(), KeepPolicy::Random(++fate)}) {
      std::shared_ptr<AdversarialDisk> part;
      if (index != nullptr) part = index->Cut(kAllFates[fate % std::size(kAllFates)], fate);
      later.push_back(
          {{files.Cut(policy), part}, promised, absl::StrCat(what, ", ", policy.ToString())});
    }
  };
  files.SetObserver([&](uint64_t, const char* what, const std::string& name, bool done) {
    if (done) remember(absl::StrCat("at ", what, " ", name));
  });

  Options options = CrashOptions(modes_, &files, index.get());
  ChooseKeystore(cut.operation, &options);
  std::unique_ptr<DB> db;
  Contents found;
  uint64_t prefix = 0;
  std::string why = OpenAndRead(options, oracle_, cut.promise.returned, &db, &found, &prefix);
  if (why.empty()) why = VerifyAll(db.get());
  if (why.empty()) {
    const uint64_t durable = oracle_.LastWriteThrough(db->GetStats().durable_version);
    if (durable > prefix) {
      why = absl::StrCat("through version ", durable, " all is durable, but there is ", prefix);
    }
    floor = std::max(floor, durable);
  }
  if (!why.empty()) {
    files.SetObserver(nullptr);
    return why;
  }
  // A power cut may also come before the process has written anything.
  remember("after opening");
  after.Forget(prefix);
  after.SetDb(db.get());
  const absl::Status status = GoOn(cut.operation % 3, &after);
  files.SetObserver(nullptr);
  if (!status.ok()) return absl::StrCat("going on after the kill: ", status.ToString());
  remember("at the end");
  db.reset();
  for (const Later& image : later) {
    ++report_->images_after_kill;
    why = ExpectPrefix(image, after);
    if (!why.empty()) return absl::StrCat("power cut after the kill, ", image.what, ": ", why);
  }
  return "";
}

std::string CrashJudge::ExpectPrefix(const Later& later, const PrefixOracle& oracle) {
  CrashFileSystem file_system(later.remains.files);
  Options options = CrashOptions(modes_, &file_system, later.remains.index.get());
  ChooseKeystore(report_->images_after_kill, &options);
  std::unique_ptr<DB> db;
  Contents found;
  uint64_t prefix = 0;
  const std::string why = OpenAndRead(options, oracle, later.floor, &db, &found, &prefix);
  return why.empty() ? VerifyAll(db.get()) : why;
}

std::string CrashJudge::Expect(const Remains& image, const std::vector<Contents>& expected,
                               const char* when) {
  CrashFileSystem file_system(image.files);
  Options options = CrashOptions(modes_, &file_system, image.index.get());
  ChooseKeystore(report_->second_images, &options);
  auto db = DB::Open(kCrashPath, options);
  if (!db.ok()) return absl::StrCat("open ", when, ": ", db.status().ToString());
  Contents found;
  const absl::Status status = Read(db->get(), &found);
  if (!status.ok()) return absl::StrCat("read ", when, ": ", status.ToString());
  for (const Contents& contents : expected) {
    if (found.state == contents.state && found.versions == contents.versions) {
      return VerifyAll(db->get());
    }
  }
  return absl::StrCat("unexpected contents or versions ", when, ": ", found.state.size(),
                      " keys, not ", expected.back().state.size());
}

}  // namespace rumcask
