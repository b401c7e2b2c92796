// A file system in front of another that fails chosen calls.
//
// Every call through core/system/file_system.h's virtual functions counts, those that only read,
// list, map or lock included, in the order in which they come. So "fail call n", for n from 1 until
// a run has fewer calls, tries every failure there is. A retry after EINTR or a short transfer is a
// call too.

#ifndef RUMCASK_TESTS_CRASH_KIT_FAULT_FILE_SYSTEM_H_
#define RUMCASK_TESTS_CRASH_KIT_FAULT_FILE_SYSTEM_H_

#include "rumcask/require_cxx17.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "rumcask/file_system.h"

namespace rumcask {

enum class CallKind {
  kOpenDirectory,
  kCreateDirectory,
  kSyncParent,
  kOpen,
  kUnlink,
  kRename,
  kSyncDirectory,
  kList,
  kRead,
  kWrite,
  kTruncate,
  kSync,
  kSize,
  kMap,
  kProtectReadOnly,
  kLock,
};

// "open", "sync directory", ...; for failure messages.
const char* CallKindName(CallKind kind);

struct Call {
  CallKind kind;
  std::string name;  // the path; of a rename, the old one
};

enum class Fault {
  kEio,
  kEnospc,
  kEmfile,
  kEintr,  // mprotect works: it is interrupted only in a process that is being killed
  kShort,  // a read or write of n > 1 bytes transfers n / 2; other calls work
  // A disk that fills up: a write of n > 1 bytes transfers n / 2, the next write is refused with
  // ENOSPC; other calls work. For ever: all later writes are refused.
  kFull,
};

inline constexpr Fault kAllFaults[] = {Fault::kEio,   Fault::kEnospc, Fault::kEmfile,
                                       Fault::kEintr, Fault::kShort,  Fault::kFull};

// "EIO", ..., "short transfer"; for failure messages.
const char* FaultName(Fault fault);

struct FaultPlan {
  // The number of the first call to fail, from 1 on; 0 for none.
  uint64_t call = 0;
  Fault fault = Fault::kEio;
  // If not 0, the errno that the call fails with instead.
  int error = 0;
  // Whether all later calls fail too. Of kEintr, every second one: a call that is interrupted for
  // ever is no state a system gets into.
  bool for_ever = false;
  // Which calls are counted and may fail; all if empty.
  std::function<bool(const Call&)> matches;
  // Called before a fault is returned, e.g. to tell a CrashFileSystem that a sync lost pages.
  std::function<void(const Call&)> on_fault;
};

// Bytes [begin, end) of the file by this path that its device can't read, whoever opens it. A read
// transfers what lies before them; one that begins among them is EIO. A mapping that would hold any
// of them is refused with EIO, since to touch them would be SIGBUS, and what is refused a mapping
// reads with pread; mappings made before stay as they are. The file's end is told as always.
struct UnreadableRange {
  std::string name;
  uint64_t begin = 0;
  uint64_t end = 0;
  // Whether writes fail in the same way. If not they succeed, and yet can't be read.
  bool refuses_writes = false;
};

class FaultFileSystem : public FileSystem {
 public:
  // `base` must outlive this and everything opened through it.
  explicit FaultFileSystem(FileSystem* base);
  ~FaultFileSystem() override;

  struct Counts {
    uint64_t calls = 0;
    uint64_t faults = 0;
  };
  // Replaces the plan and counts from 0 again. Returns the counts until now, beside which no call
  // was missed.
  Counts SetPlan(FaultPlan plan);
  // Matching calls since the plan was set, and how many of them failed or were cut short.
  uint64_t call_count() const;
  uint64_t fault_count() const;

  // What can't be read from now on, in place of what was set before. It stays beside any plan, and
  // what fails so is not counted as the plan's.
  void SetUnreadable(std::vector<UnreadableRange> ranges);
  // Calls that failed or were cut short by a range since.
  uint64_t unreadable_count() const;

  // Called before every call, with no lock held, whatever the plan matches. It may block, to stop
  // one thread inside, say, the sync of one file. What is written meanwhile is covered by that
  // sync; to have it not covered, block in a CrashFileSystem's observer.
  void SetHook(std::function<void(const Call&)> hook);

  ProcessLimits Limits() const override { return base_->Limits(); }

 protected:
  int DoOpenDirectory(const std::string& path, std::unique_ptr<Directory>* directory) override;
  int DoCreateDirectory(const std::string& path) override;
  int DoSyncParent(const std::string& path) override;

 private:
  class State;
  class FaultRegion;
  class FaultFile;
  class FaultDirectory;

  FileSystem* const base_;
  const std::shared_ptr<State> state_;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CRASH_KIT_FAULT_FILE_SYSTEM_H_
