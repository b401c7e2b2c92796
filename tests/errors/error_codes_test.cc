// Each system error must reach the writer with the status code that db.h names for it, so that
// applications can act on the code. A missing file, for example, must not become NotFound, which is
// about a key.

#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <tuple>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/db.h"
#include "core/format/limits.h"
#include "core/system/mutex.h"
#include "core/testing/map_keystore.h"
#include "tests/crash_kit/adversarial_index.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/crash_kit/fault_file_system.h"

namespace rumcask {
namespace {

constexpr char kPath[] = "/crash/db";

// ENODATA stands for all errors that db.h does not mention.
constexpr int kErrors[] = {ENOENT, EEXIST, ENOTDIR, EISDIR, ELOOP,  ENAMETOOLONG, EACCES, EPERM,
                           EROFS,  EIO,    ENOSPC,  EDQUOT, EFBIG,  EMFILE,       ENFILE, ENOMEM,
                           EINVAL, EBADF,  ENODEV,  ENXIO,  ESTALE, EBUSY,        EAGAIN, ENODATA};

// What kinds of calls have failed.
struct FailedCalls {
  bool by_name = false;  // a call that looks up a name
  bool to_read = false;  // a call that reading a file needs
};

void Note(const Call& call, FailedCalls* failed) {
  switch (call.kind) {
    case CallKind::kOpen:
      failed->by_name = true;
      failed->to_read = true;
      break;
    case CallKind::kRename:
    case CallKind::kUnlink:
      failed->by_name = true;
      break;
    case CallKind::kRead:
    case CallKind::kSize:
      failed->to_read = true;
      break;
    default:
      break;
  }
}

bool IsAboutNames(int error) {
  return error == ENOENT || error == EEXIST || error == ENOTDIR || error == EISDIR ||
         error == ELOOP || error == ENXIO;
}

// Whether `code` is right for the system error `error`.
bool IsCodeFor(int error, const FailedCalls& failed, absl::StatusCode code) {
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
      break;
  }
  // The database's directory or files were replaced or removed.
  if (code == absl::StatusCode::kFailedPrecondition) return IsAboutNames(error) && failed.by_name;
  // A conditional write may have to read a record to compare with.
  if (code == absl::StatusCode::kDataLoss) return failed.to_read;
  return code == absl::StatusCode::kInternal;
}

// The same for an error of the index.
bool IsCodeFor(absl::StatusCode error, absl::StatusCode code) {
  // A full disk may pass. All other errors end the use of the index, and the next opening rebuilds
  // it.
  if (error == absl::StatusCode::kResourceExhausted) return code == error;
  // For the call that asks for the position, NotFound is an answer: it has not become durable yet.
  if (error == absl::StatusCode::kNotFound && code == absl::StatusCode::kResourceExhausted) {
    return true;
  }
  if (code == absl::StatusCode::kFailedPrecondition) return true;
  const bool about_names =
      error == absl::StatusCode::kNotFound || error == absl::StatusCode::kAlreadyExists;
  return code == (about_names ? absl::StatusCode::kInternal : error);
}

enum class Index { kInMemory, kOnDisk };

class ErrorCodesTest : public testing::TestWithParam<std::tuple<AppendMode, int, Index>> {
 protected:
  using Judge = std::function<void(const std::string& operation, const absl::Status& status)>;

  // Options as the test's parameters say. `disk` is used only if the index is on disk.
  static Options MakeOptions(FileSystem* file_system, AdversarialDisk* disk) {
    Options options;
    options.keystore = TestKeystore();
    if (std::get<Index>(GetParam()) == Index::kOnDisk) {
      options.keystore = disk->Keystore("adversarial", /*reports_replaced=*/true);
      options.keystore->buffer_bytes = 512;
      options.replay_bytes = 4096;
    }
    options.create_if_missing = true;
    options.segment_bytes = kMinSegmentBytes;
    options.append_mode = std::get<AppendMode>(GetParam());
    options.read_mode = ReadMode::kPread;
    options.background_threads = std::get<int>(GetParam());
    options.file_system = file_system;
    return options;
  }

  // Makes every kind of write, over several segments. All succeed if no call fails.
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

// Starts from an unclean end, so that calls of the recovery, which the first write commits, fail
// too.
TEST_P(ErrorCodesTest, OfEveryErrorUnderAWrite) {
  CrashImage image;
  std::shared_ptr<AdversarialDisk> index = AdversarialDisk::Make();
  {
    CrashFileSystem disk;
    auto db = DB::Open(kPath, MakeOptions(&disk, index.get()));
    ASSERT_TRUE(db.ok()) << db.status();
    for (int i = 0; i < 12; ++i) {
      ASSERT_TRUE((*db)->Put(absl::StrCat("k", i), std::string(700, 'v')).ok());
    }
    ASSERT_TRUE((*db)->Sync().ok());
    index = index->Cut(IndexFate::kFlushed, /*seed=*/1);
    image = disk.Cut(KeepPolicy::KeepEverything());
  }
  int errors = 0;
  for (const int error : kErrors) {
    for (const bool for_ever : {false, true}) {
      for (uint64_t call = 1;; ++call) {
        CrashFileSystem disk(image);
        FaultFileSystem faults(&disk);
        const std::shared_ptr<AdversarialDisk> index_now = index->Cut(IndexFate::kLatest, 1);
        // Any thread may report a failed call.
        Mutex mutex;
        FailedCalls failed;
        std::string first;
        auto db = DB::Open(kPath, MakeOptions(&faults, index_now.get()));
        ASSERT_TRUE(db.ok()) << db.status();
        FaultPlan plan;
        plan.call = call;
        plan.error = error;
        plan.for_ever = for_ever;
        // mprotect does not return errors about names.
        plan.matches = [error](const Call& c) {
          return c.kind != CallKind::kProtectReadOnly || !IsAboutNames(error);
        };
        plan.on_fault = [&](const Call& c) {
          MutexLock lock(mutex);
          Note(c, &failed);
          if (first.empty()) first = absl::StrCat(CallKindName(c.kind), " ", c.name);
        };
        faults.SetPlan(plan);
        const auto judge = [&](const std::string& operation, const absl::Status& status) {
          if (status.ok()) return;
          ++errors;
          MutexLock lock(mutex);
          EXPECT_TRUE(IsCodeFor(error, failed, status.code()) && !status.message().empty())
              << operation << " gives " << status << " for \"" << std::strerror(error)
              << "\" in call " << call << ", " << first;
        };
        WriteAll(db->get(), judge);
        ASSERT_FALSE(HasFailure());
        if (faults.fault_count() == 0) break;
      }
    }
  }
  EXPECT_GT(errors, 1000);
}

// Calls of the index fail, both lookups by writes and the applying of buffers.
TEST_P(ErrorCodesTest, OfEveryErrorOfTheIndexUnderAWrite) {
  if (std::get<Index>(GetParam()) == Index::kInMemory) return;
  int errors = 0;
  for (const absl::StatusCode code :
       {absl::StatusCode::kNotFound, absl::StatusCode::kAlreadyExists,
        absl::StatusCode::kResourceExhausted, absl::StatusCode::kPermissionDenied,
        absl::StatusCode::kInternal, absl::StatusCode::kDataLoss}) {
    for (uint64_t call = 1;; ++call) {
      CrashFileSystem disk;
      const auto index = AdversarialDisk::Make();
      auto db = DB::Open(kPath, MakeOptions(&disk, index.get()));
      ASSERT_TRUE(db.ok()) << db.status();
      index->FailCalls(call, absl::Status(code, "open data.mdb: it fails"), /*for_ever=*/false);
      WriteAll(db->get(), [&](const std::string& operation, const absl::Status& status) {
        if (status.ok()) return;
        ++errors;
        EXPECT_TRUE(IsCodeFor(code, status.code()) && !status.message().empty())
            << operation << " gives " << status << " for " << absl::StatusCodeToString(code)
            << " in call " << call;
      });
      ASSERT_FALSE(HasFailure());
      if (index->failed_calls() == 0) break;
    }
  }
  EXPECT_GT(errors, 20);
}

INSTANTIATE_TEST_SUITE_P(
    All, ErrorCodesTest,
    testing::Combine(testing::Values(AppendMode::kMapped, AppendMode::kWrite),
                     testing::Values(0, 1, 2), testing::Values(Index::kInMemory, Index::kOnDisk)),
    [](const auto& param) {
      return absl::StrCat(
          std::get<AppendMode>(param.param) == AppendMode::kMapped ? "Mapped" : "Write",
          std::get<int>(param.param), "Threads",
          std::get<Index>(param.param) == Index::kOnDisk ? "IndexOnDisk" : "IndexInMemory");
    });

}  // namespace
}  // namespace rumcask
