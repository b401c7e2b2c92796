// The descriptors through which sealed segments are read that have no mapping.

#ifndef RUMCASK_CORE_SEGMENT_DESCRIPTOR_CACHE_H_
#define RUMCASK_CORE_SEGMENT_DESCRIPTOR_CACHE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "core/system/file_system.h"
#include "core/system/mutex.h"

namespace rumcask {

class DescriptorCache;

// A file that is open while it is read from, and after that for as long as its cache has room.
//
// Thread-safe. A read of an open file takes no lock: it adds itself to the file's users and takes
// itself away again, in a word that only readers of this file write.
class CachedFile {
 public:
  CachedFile(std::shared_ptr<DescriptorCache> cache, std::string name);
  // Nobody may be reading.
  ~CachedFile();
  CachedFile(const CachedFile&) = delete;
  CachedFile& operator=(const CachedFile&) = delete;

  // As File::Read, or why the file can't be opened.
  absl::Status Read(uint64_t offset, void* buffer, size_t size);
  // As File::Prefetch. Nothing if the file can't be opened.
  void Prefetch(uint64_t offset, size_t size);

 private:
  friend class DescriptorCache;

  // In `state_`: whether the file is open, and how many use it.
  static constexpr uint64_t kOpen = 1;
  static constexpr uint64_t kUser = 2;

  // Becomes a user if the file is open.
  bool TryUse();
  void Release();
  // The other way round: what Release leaves, closed. Null if somebody uses it.
  std::unique_ptr<File> TryClose();

  const std::shared_ptr<DescriptorCache> cache_;
  const std::string name_;
  std::atomic<uint64_t> state_{0};
  // Since it was opened, or the cache last looked for one to close.
  std::atomic<bool> used_again_{false};
  // Set and cleared under the cache's mutex, while state_ says closed.
  std::unique_ptr<File> file_;
  size_t place_ = 0;  // among the cache's open files; guarded by its mutex
};

// Bounds the descriptors of all CachedFiles of a directory, those in use included: when all are in
// use, whoever needs another waits until one has been read from. One more is kept in reserve for
// MANIFEST, so that a database can be closed in a process that has none left. Thread-safe.
class DescriptorCache {
 public:
  // At most `limit` files are open, at least 1. `directory` must outlive all reads.
  DescriptorCache(Directory* directory, size_t limit);
  DescriptorCache(const DescriptorCache&) = delete;
  DescriptorCache& operator=(const DescriptorCache&) = delete;

  // Opens the descriptor in reserve, unless there is one. ResourceExhausted if there are no more.
  absl::Status Reserve();
  // Closes one for `name`, which is to be opened where there is no other descriptor: one that
  // nobody uses or, for MANIFEST, the reserve. False if there is none.
  bool GiveUp(std::string_view name);
  // Closes the reserve and what nobody uses.
  void CloseIdle();

  // Open files and those being opened, without the reserve.
  size_t count() const;

 private:
  friend class CachedFile;

  // Opens `file` and makes the caller a user of it.
  absl::Status OpenAndUse(CachedFile* file);
  // Makes room for one more, counting it; `*closing` is for the caller to close outside the lock.
  // `*used` instead if `file` has been opened meanwhile, by another, and the caller uses it.
  // False if there is no room and none to come. `starved`: though there are fewer than the limit,
  // the system has no more.
  bool MakeRoom(CachedFile* file, bool starved, std::unique_ptr<File>* closing, bool* used)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes one that nobody uses from the open files; it still counts. Null if there is none.
  std::unique_ptr<File> TakeIdle() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Remove(CachedFile* file) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Uncount() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget(CachedFile* file);
  // To be called by whoever has stopped using a file that nobody uses now.
  void NoteIdle() {
    // Ordered after the user's going, as a waiter's look at the users is after its coming.
    if (waiting_.load(std::memory_order_seq_cst) > 0) WakeOne();
  }
  void WakeOne();

  Directory* const directory_;
  const size_t limit_;

  mutable Mutex mutex_;
  CondVar idle_;
  std::atomic<size_t> waiting_{0};
  size_t count_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<CachedFile*> open_ ABSL_GUARDED_BY(mutex_);
  // Where the search for one to close goes on.
  size_t hand_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<File> reserve_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_SEGMENT_DESCRIPTOR_CACHE_H_
