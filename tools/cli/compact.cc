// rumcask compact DB

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"

#include "core/compaction/compaction.h"
#include "core/db.h"
#include "core/stats.h"
#include "core/system/mutex.h"
#include "tools/cli/command.h"
#include "tools/cli/commands.h"
#include "tools/cli/figures.h"
#include "tools/cli/open_database.h"
#include "tools/cli/output.h"
#include "tools/cli/progress.h"

namespace rumcask::cli {
namespace {

struct CompactFlags {
  bool all = false;
  uint64_t bytes = UINT64_MAX;
};

// Shows how much has been copied, while it exists.
class ProgressThread {
 public:
  explicit ProgressThread(const DB* db) : thread_([this, db] { Show(db); }) {}
  ~ProgressThread() {
    {
      MutexLock lock(mutex_);
      ends_ = true;
      ending_.NotifyAll();
    }
    thread_.join();
  }
  ProgressThread(const ProgressThread&) = delete;
  ProgressThread& operator=(const ProgressThread&) = delete;

 private:
  void Show(const DB* db) {
    Progress progress("compact", /*total=*/0);
    MutexLock lock(mutex_);
    while (!ends_) {
      const CompactionStats stats = db->GetStats().compaction;
      progress.Now(stats.copied_records, stats.written_bytes);
      ending_.WaitFor(mutex_, std::chrono::milliseconds(250));
    }
  }

  Mutex mutex_;
  CondVar ending_;
  bool ends_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

std::string AsText(const CompactionReport& report) {
  if (report.retired_segments == 0) return "nothing to remove\n";
  return absl::StrFormat("%s of %s removed, %s in %s copied before\n",
                         FormatCount(report.retired_segments, "segment"),
                         FormatBytes(report.retired_bytes), FormatBytes(report.written_bytes),
                         FormatCount(report.copied_records, "record"));
}

absl::Status Compact(const Flags& flags, const CompactFlags& compact) {
  absl::StatusOr<std::unique_ptr<DB>> db = OpenForWriting(flags, /*create_if_missing=*/false);
  if (!db.ok()) return db.status();
  CompactionReport report;
  absl::Status status;
  {
    const ProgressThread progress(db->get());
    status = compact.all ? (*db)->CompactAll(&report) : (*db)->CompactSome(compact.bytes, &report);
  }
  const absl::Status closed = (*db)->Close();
  if (status.ok()) status = closed;
  const absl::Status printed = Print(AsText(report));
  return status.ok() ? printed : status;
}

}  // namespace

int RunCompact(const std::vector<std::string>& arguments) {
  CommandLine line(
      "Gives the space of replaced and deleted records back: copies what is live out of segments "
      "where much is dead, and removes those. If it is interrupted, nothing is lost, and the next "
      "one goes on. While it copies, the disk holds those records twice.");
  Flags flags;
  CompactFlags compact;
  AddDatabase(&line, &flags);
  line.Flag("--all", &compact.all,
            "Compact every segment with a dead record, and drop the marks of deletes that nothing "
            "needs any longer. With rocksdb, which does not tell what is dead, nothing is "
            "compacted without this");
  line.Option("--bytes", "N", &compact.bytes, "Stop when N bytes have come back");
  return Run("compact", &line, arguments, [&]() -> absl::Status {
    if (compact.all && compact.bytes != UINT64_MAX) {
      return UsageError("--all does not go with --bytes");
    }
    return Compact(flags, compact);
  });
}

}  // namespace rumcask::cli
