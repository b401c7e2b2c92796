// Which code a writer gets for which error of the system: those that db.h names, so that an
// application which acts on them is not misled. That a file is missing is no news of a key.

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/db.h"
#include "core/map_keystore.h"
#include "tests/crash_kit/adversarial_index.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/crash_kit/fault_file_system.h"

namespace rumcask {
namespace {

constexpr char kPath[] = "/crash/db";

// ENODATA stands for all that nothing is said of.
constexpr int kErrors[] = {ENOENT, EEXIST, ENOTDIR, EISDIR, ELOOP,  ENAMETOOLONG, EACCES, EPERM,
                           EROFS,  EIO,    ENOSPC,  EDQUOT, EFBIG,  EMFILE,       ENFILE, ENOMEM,
                           EINVAL, EBADF,  ENODEV,  ENXIO,  ESTALE, EBUSY,        EAGAIN, ENODATA};

constexpr absl::StatusCode kAllowed[] = {absl::StatusCode::kResourceExhausted,
                                         absl::StatusCode::kPermissionDenied,
                                         absl::StatusCode::kFailedPrecondition,
                                         absl::StatusCode::kDataLoss, absl::StatusCode::kInternal};

// What an error that the database met gives it away as, whatever met it.
bool IsCodeFor(int error, absl::StatusCode code) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return code == absl::StatusCode::kResourceExhausted;
    case EACCES:
    case EPERM:
    case EROFS:
      return code == absl::StatusCode::kPermissionDenied;
    default:
      return std::find(std::begin(kAllowed), std::end(kAllowed), code) != std::end(kAllowed);
  }
}

class ErrorCodesTest : public testing::TestWithParam<AppendMode> {
 protected:
  using Judge = std::function<void(const std::string& operation, const absl::Status& status)>;

  static Options MakeOptions(FileSystem* file_system) {
    Options options;
    options.keystore = TestKeystore();
    options.create_if_missing = true;
    options.segment_bytes = kMinSegmentBytes;
    options.append_mode = GetParam();
    options.read_mode = ReadMode::kPread;
    options.background_threads = 0;
    options.file_system = file_system;
    return options;
  }

  // Every kind of write, over several segments. Each would succeed if nothing failed.
  static void WriteAll(DB* db, const Judge& judge) {
    for (int round = 0; round < 2; ++round) {
      const std::string n = std::to_string(round);
      for (int i = 0; i < 5; ++i)
        judge("put", db->Put(absl::StrCat("k", i), std::string(700, 'v')));
      WriteResult result;
      judge("put if absent", db->PutIfAbsent("absent" + n, "value", {}, &result));
      if (result.version != 0) {
        judge("compare and put",
              db->CompareAndPut("absent" + n, "value", result.version, {}, &result));
        judge("compare and delete", db->CompareAndDelete("absent" + n, result.version));
      }
      judge("delete", db->Delete("k1"));
      judge("synced put", db->Put("k2", "value", {/*sync=*/true}));
      WriteBatch batch;
      batch.Put("k3", std::string(3000, 'v'));
      batch.Put("k4", std::string(3000, 'v'));
      judge("write", db->Write(batch));
      judge("sync", db->Sync());
    }
    judge("close", db->Close());
  }
};

// After an unclean end, so that what the first write has to mend fails too.
TEST_P(ErrorCodesTest, OfEveryErrorUnderAWrite) {
  CrashImage image;
  {
    CrashFileSystem disk;
    auto db = DB::Open(kPath, MakeOptions(&disk));
    ASSERT_TRUE(db.ok()) << db.status();
    for (int i = 0; i < 12; ++i) {
      ASSERT_TRUE((*db)->Put(absl::StrCat("k", i), std::string(700, 'v')).ok());
    }
    image = disk.Cut(KeepPolicy::KeepEverything());
  }
  int errors = 0;
  for (const int error : kErrors) {
    for (const bool for_ever : {false, true}) {
      for (uint64_t call = 1;; ++call) {
        CrashFileSystem disk(image);
        FaultFileSystem faults(&disk);
        auto db = DB::Open(kPath, MakeOptions(&faults));
        ASSERT_TRUE(db.ok()) << db.status();
        FaultPlan plan;
        std::string failed;
        plan.call = call;
        plan.error = error;
        plan.for_ever = for_ever;
        plan.on_fault = [&failed](const Call& c) {
          if (failed.empty()) failed = absl::StrCat(CallKindName(c.kind), " ", c.name);
        };
        faults.SetPlan(plan);
        const auto judge = [&](const std::string& operation, const absl::Status& status) {
          if (status.ok()) return;
          ++errors;
          EXPECT_TRUE(IsCodeFor(error, status.code()) && !status.message().empty())
              << operation << " gives " << status << " for \"" << std::strerror(error)
              << "\" in call " << call << ", " << failed;
        };
        WriteAll(db->get(), judge);
        ASSERT_FALSE(HasFailure());
        if (faults.fault_count() == 0) break;
      }
    }
  }
  EXPECT_GT(errors, 1000);
}

// The index's errors, under writes that ask it and while it takes what was written.
TEST_P(ErrorCodesTest, OfEveryErrorOfTheIndexUnderAWrite) {
  int errors = 0;
  for (const absl::StatusCode code :
       {absl::StatusCode::kNotFound, absl::StatusCode::kAlreadyExists,
        absl::StatusCode::kResourceExhausted, absl::StatusCode::kPermissionDenied,
        absl::StatusCode::kInternal, absl::StatusCode::kDataLoss}) {
    for (uint64_t call = 1;; ++call) {
      CrashFileSystem disk;
      const auto index = AdversarialDisk::Make();
      Options options = MakeOptions(&disk);
      options.keystore = index->Keystore("adversarial", /*looks_cheaply=*/true);
      options.keystore->buffer_bytes = 512;
      options.replay_bytes = 4096;
      auto db = DB::Open(kPath, options);
      ASSERT_TRUE(db.ok()) << db.status();
      index->FailCalls(call, absl::Status(code, "open data.mdb: it fails"), /*for_ever=*/false);
      WriteAll(db->get(), [&](const std::string& operation, const absl::Status& status) {
        if (status.ok()) return;
        ++errors;
        EXPECT_TRUE(IsCodeFor(EIO, status.code()) && !status.message().empty())
            << operation << " gives " << status << " for " << absl::StatusCodeToString(code)
            << " in call " << call;
      });
      ASSERT_FALSE(HasFailure());
      if (index->failed_calls() == 0) break;
    }
  }
  EXPECT_GT(errors, 20);
}

INSTANTIATE_TEST_SUITE_P(AppendModes, ErrorCodesTest,
                         testing::Values(AppendMode::kMapped, AppendMode::kWrite),
                         [](const auto& param) {
                           return param.param == AppendMode::kMapped ? "Mapped" : "Write";
                         });

}  // namespace
}  // namespace rumcask
