// Uses a whole hostile directory: opens it read-only and read-write, reads every key, iterates,
// verifies, repairs and writes. Nothing may crash, hang, read out of bounds or trust a length. A
// database that takes a write and closes must open again and show the write. See directory_input.h.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/check/repair.h"
#include "core/check/verify.h"
#include "core/damage.h"
#include "core/db.h"
#include "core/stats.h"
#include "core/testing/map_keystore.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/fuzz/directory_input.h"
#include "tests/fuzz/expect.h"

namespace rumcask {
namespace {

constexpr char kPath[] = "/crash/db";
constexpr char kRepaired[] = "/crash/repaired";
constexpr char kKey[] = "written by the fuzz test";

class HostileDirectory {
 public:
  explicit HostileDirectory(const DirectoryInput& input) {
    options_.keystore = TestKeystore();
    options_.read_mode = input.read_mode;
    options_.append_mode = input.append_mode;
    options_.segment_bytes = 4096;
    options_.background_threads = 0;
    CrashFileSystem fs;
    RUMCASK_FUZZ_EXPECT(fs.CreateDirectory(kPath).ok() && fs.SyncParent(kPath).ok());
    for (const auto& [name, bytes] : input.files) {
      fs.WriteFile(std::string(kPath) + "/" + name, bytes);
    }
    image_ = fs.Cut(KeepPolicy::KeepEverything());
  }

  // Opens it for reading and does everything offline; the directory must stay unchanged.
  void Read() {
    CrashFileSystem fs(image_);
    options_.file_system = &fs;
    const auto before = fs.Contents(kPath);
    absl::StatusOr<std::unique_ptr<DB>> db = DB::OpenReadOnly(kPath, options_);
    if (db.ok()) {
      Use(db->get());
      RUMCASK_FUZZ_EXPECT(!(*db)->Put(kKey, "value").ok());
      (void)(*db)->Close();
    }
    (void)VerifyFiles(kPath, &fs);
    RUMCASK_FUZZ_EXPECT(fs.Contents(kPath) == before);
  }

  // The result of a repair is a database without damage.
  void RepairIt() {
    CrashFileSystem fs(image_);
    options_.file_system = &fs;
    const auto before = fs.Contents(kPath);
    const absl::StatusOr<RepairReport> report = Repair(kPath, kRepaired, &fs);
    RUMCASK_FUZZ_EXPECT(fs.Contents(kPath) == before);
    if (!report.ok()) return;
    const absl::StatusOr<VerifyReport> verified = VerifyFiles(kRepaired, &fs);
    RUMCASK_FUZZ_EXPECT_OK(verified.status());
    for (const Damage& damage : verified->damages) RUMCASK_FUZZ_EXPECT_OK(DamageStatus(damage));
    absl::StatusOr<std::unique_ptr<DB>> db = DB::Open(kRepaired, options_);
    // MANIFEST may name a keystore that this one cannot replace.
    if (absl::IsFailedPrecondition(db.status())) return;
    RUMCASK_FUZZ_EXPECT_OK(db.status());
    Use(db->get());
  }

  void Write() {
    CrashFileSystem fs(image_);
    options_.file_system = &fs;
    const auto before = fs.Contents(kPath);
    absl::StatusOr<std::unique_ptr<DB>> db = DB::Open(kPath, options_);
    if (!db.ok()) {
      auto after = fs.Contents(kPath);
      // A process that tries to open leaves its name in LOCK.
      after["LOCK"] = before.count("LOCK") > 0 ? before.at("LOCK") : "";
      auto expected = before;
      expected.try_emplace("LOCK", "");
      RUMCASK_FUZZ_EXPECT(after == expected);
      return;
    }
    Use(db->get());
    WriteResult result;
    const std::string value(300, 'v');
    absl::Status written = (*db)->Put(kKey, value, {}, &result);
    const absl::Status deleted = (*db)->Delete("a");
    WriteBatch batch;
    for (int i = 0; i < 20; ++i) batch.Put("batch " + std::to_string(i), value);
    const absl::Status batched = (*db)->Write(batch, {/*sync=*/true});
    // Has the size of a segment, so that the log rolls.
    if (written.ok()) written = (*db)->Put(kKey, std::string(5000, 'w'));
    const absl::Status closed = (*db)->Close();
    if (!written.ok() || !deleted.ok() || !batched.ok() || !closed.ok()) return;
    db = DB::Open(kPath, options_);
    RUMCASK_FUZZ_EXPECT_OK(db.status());
    uint64_t version = 0;
    std::string got;
    RUMCASK_FUZZ_EXPECT_OK((*db)->Get(kKey, &got, {}, &version));
    RUMCASK_FUZZ_EXPECT(got == std::string(5000, 'w') && version > result.version);
    RUMCASK_FUZZ_EXPECT(absl::IsNotFound((*db)->Get("a").status()));
    RUMCASK_FUZZ_EXPECT_OK((*db)->Get("batch 7").status());
  }

 private:
  void Use(DB* db) {
    std::vector<std::string> keys = {"a", "k0", "key1", kKey};
    absl::StatusOr<std::unique_ptr<Iterator>> it = db->NewIterator();
    RUMCASK_FUZZ_EXPECT_OK(it.status());
    for (; (*it)->Valid(); (*it)->Next()) keys.emplace_back((*it)->key());
    std::string value;
    for (const std::string& key : keys) (void)db->Get(key, &value);
    std::vector<PinnedValue> pins(keys.size());
    for (size_t i = 0; i < keys.size(); ++i) (void)db->Get(keys[i], &pins[i]);
    const std::vector<std::string_view> views(keys.begin(), keys.end());
    std::vector<std::string> values;
    std::vector<absl::Status> statuses;
    db->MultiGet(views, &values, &statuses);
    for (size_t i = 0; i < keys.size(); ++i) {
      RUMCASK_FUZZ_EXPECT(!statuses[i].ok() || values[i] == pins[i].value());
    }
    (void)db->GetStats();
    (void)db->Verify();
  }

  Options options_;
  CrashImage image_;
};

}  // namespace
}  // namespace rumcask

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rumcask;
  const DirectoryInput input = DecodeDirectoryInput({reinterpret_cast<const char*>(data), size});
  HostileDirectory directory(input);
  directory.Read();
  directory.RepairIt();
  directory.Write();
  return 0;
}
