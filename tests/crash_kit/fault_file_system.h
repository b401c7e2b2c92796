// A file system in front of another one that fails chosen calls.
//
// Every call through the virtual functions of core/system/file_system.h counts, in the order in
// which they come, including those that only read, list, map or lock. So "fail call n", for n from
// 1 until a run has fewer calls, tries every possible failure. A retry after EINTR or a short
// transfer counts as a call, too.

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
  kRemoveDirectory,
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
  std::string name;  // the path; for a rename, the old one
};

enum class Fault {
  kEio,
  kEnospc,
  kEmfile,
  kEintr,  // but mprotect works: it is interrupted only in a process that is being killed
  kShort,  // a read or write of n > 1 bytes transfers n / 2; other calls work
  // Imitates a disk that fills up: a write of n > 1 bytes transfers n / 2, and the next write fails
  // with ENOSPC; other calls work. With for_ever all later writes fail.
  kFull,
};

inline constexpr Fault kAllFaults[] = {Fault::kEio,   Fault::kEnospc, Fault::kEmfile,
                                       Fault::kEintr, Fault::kShort,  Fault::kFull};

// "EIO", ..., "short transfer"; for failure messages.
const char* FaultName(Fault fault);

struct FaultPlan {
  // The number of the first call to fail, counted from 1; 0 for none.
  uint64_t call = 0;
  Fault fault = Fault::kEio;
  // If not 0, the call fails with this errno instead.
  int error = 0;
  // Whether all later calls fail, too. With kEintr every second one fails, because no system
  // interrupts a call for ever.
  bool for_ever = false;
  // Which calls are counted and may fail; all if this is empty.
  std::function<bool(const Call&)> matches;
  // Called before a fault is returned, for example to tell a CrashFileSystem that a sync lost
  // pages.
  std::function<void(const Call&)> on_fault;
};

// Bytes [begin, end) of the file with this path that its device cannot read, whoever opens the
// file. A read transfers the bytes before them; one that begins among them fails with EIO. A
// mapping that would contain any of them is refused with EIO, because touching them would raise
// SIGBUS, and code that is refused a mapping reads with pread. Mappings made earlier stay as they
// are. The file's size is reported as always.
struct UnreadableRange {
  std::string name;
  uint64_t begin = 0;
  uint64_t end = 0;
  // Whether writes fail in the same way. If not, they succeed, but the bytes still cannot be read.
  bool refuses_writes = false;
};

class FaultFileSystem : public FileSystem {
 public:
  // `base` must outlive this object and everything opened through it.
  explicit FaultFileSystem(FileSystem* base);
  ~FaultFileSystem() override;

  struct Counts {
    uint64_t calls = 0;
    uint64_t faults = 0;
  };
  // Replaces the plan and counts from 0 again. Returns the counts up to now; no call is missed
  // between them and the new plan.
  Counts SetPlan(FaultPlan plan);
  // Matching calls since the plan was set, and how many of them failed or were cut short.
  uint64_t call_count() const;
  uint64_t fault_count() const;

  // Sets what cannot be read from now on, in place of what was set before. It applies beside any
  // plan, and its failures do not count as the plan's.
  void SetUnreadable(std::vector<UnreadableRange> ranges);
  // Calls since then that failed or were cut short because of a range.
  uint64_t unreadable_count() const;

  // Called before every call, with no lock held, whatever the plan matches. It may block, in order
  // to stop one thread inside, for example, the sync of one file. What is written meanwhile is
  // covered by that sync; to have it not covered, block in a CrashFileSystem's observer.
  void SetHook(std::function<void(const Call&)> hook);

  ProcessLimits Limits() const override { return base_->Limits(); }
  bool IsOfTheSystem() const override { return base_->IsOfTheSystem(); }

 protected:
  int DoOpenDirectory(const std::string& path, std::unique_ptr<Directory>* directory) override;
  int DoCreateDirectory(const std::string& path, uint32_t mode) override;
  int DoRemoveDirectory(const std::string& path) override;
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
