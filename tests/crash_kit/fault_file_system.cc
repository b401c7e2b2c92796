#include "tests/crash_kit/fault_file_system.h"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "core/system/mutex.h"

namespace rumcask {
namespace {

// The public functions of the base return statuses. This converts one back to an errno that maps to
// the same code.
int ErrnoOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return 0;
    case absl::StatusCode::kNotFound:
      return -ENOENT;
    case absl::StatusCode::kAlreadyExists:
      return -EEXIST;
    case absl::StatusCode::kResourceExhausted:
      return -ENOSPC;
    case absl::StatusCode::kPermissionDenied:
      return -EACCES;
    case absl::StatusCode::kFailedPrecondition:
      return -EMEDIUMTYPE;
    case absl::StatusCode::kUnavailable:
      return -EWOULDBLOCK;
    default:
      return -EIO;
  }
}

// Moves the value to `*to`, or returns the error.
template <typename T>
int Take(absl::StatusOr<T> from, T* to) {
  if (!from.ok()) return ErrnoOf(from.status());
  *to = *std::move(from);
  return 0;
}

int ErrorOf(Fault fault) {
  switch (fault) {
    case Fault::kEio:
      return -EIO;
    case Fault::kEnospc:
      return -ENOSPC;
    case Fault::kEmfile:
      return -EMFILE;
    case Fault::kEintr:
      return -EINTR;
    case Fault::kShort:
    case Fault::kFull:
      return 0;
  }
  return 0;
}

}  // namespace

const char* CallKindName(CallKind kind) {
  switch (kind) {
    case CallKind::kOpenDirectory:
      return "open directory";
    case CallKind::kCreateDirectory:
      return "create directory";
    case CallKind::kRemoveDirectory:
      return "remove directory";
    case CallKind::kSyncParent:
      return "sync parent";
    case CallKind::kOpen:
      return "open";
    case CallKind::kUnlink:
      return "unlink";
    case CallKind::kRename:
      return "rename";
    case CallKind::kSyncDirectory:
      return "sync directory";
    case CallKind::kList:
      return "list";
    case CallKind::kRead:
      return "read";
    case CallKind::kWrite:
      return "write";
    case CallKind::kTruncate:
      return "truncate";
    case CallKind::kSync:
      return "sync";
    case CallKind::kSize:
      return "size";
    case CallKind::kMap:
      return "map";
    case CallKind::kProtectReadOnly:
      return "protect read-only";
    case CallKind::kLock:
      return "lock";
  }
  return "?";
}

const char* FaultName(Fault fault) {
  switch (fault) {
    case Fault::kEio:
      return "EIO";
    case Fault::kEnospc:
      return "ENOSPC";
    case Fault::kEmfile:
      return "EMFILE";
    case Fault::kEintr:
      return "EINTR";
    case Fault::kShort:
      return "short transfer";
    case Fault::kFull:
      return "full disk";
  }
  return "?";
}

class FaultFileSystem::State {
 public:
  Counts SetPlan(FaultPlan plan) {
    MutexLock lock(mutex_);
    plan_ = std::make_shared<const FaultPlan>(std::move(plan));
    return {std::exchange(calls_, 0), std::exchange(faults_, 0)};
  }

  void SetHook(std::function<void(const Call&)> hook) {
    MutexLock lock(mutex_);
    hook_ = std::make_shared<const std::function<void(const Call&)>>(std::move(hook));
  }

  void SetUnreadable(std::vector<UnreadableRange> ranges) {
    MutexLock lock(mutex_);
    ranges_ = std::move(ranges);
    unreadable_ = 0;
  }

  uint64_t unreadable() const {
    MutexLock lock(mutex_);
    return unreadable_;
  }

  // How many of `size` bytes at `offset` come before the first that cannot be read; sets `*failed`
  // if that is not all of them.
  size_t Readable(const std::string& name, uint64_t offset, size_t size, bool writes,
                  bool* failed) {
    uint64_t end = offset + size;
    MutexLock lock(mutex_);
    for (const UnreadableRange& range : ranges_) {
      if (range.name != name || (writes && !range.refuses_writes)) continue;
      if (range.begin < end && range.end > offset) end = std::max(offset, range.begin);
    }
    *failed = end < offset + size;
    if (*failed) ++unreadable_;
    return static_cast<size_t>(end - offset);
  }

  uint64_t calls() const {
    MutexLock lock(mutex_);
    return calls_;
  }

  uint64_t faults() const {
    MutexLock lock(mutex_);
    return faults_;
  }

  // Counts one call. Returns a negated errno if it is to fail.
  int Count(CallKind kind, const std::string& name) { return Count(kind, name, nullptr); }

  // The same for a transfer of `*size` bytes, which may be shortened.
  int Count(CallKind kind, const std::string& name, size_t* size) {
    const Call call{kind, name};
    std::shared_ptr<const FaultPlan> plan;
    std::shared_ptr<const std::function<void(const Call&)>> hook;
    {
      MutexLock lock(mutex_);
      plan = plan_;
      hook = hook_;
    }
    if (*hook) (*hook)(call);
    if (plan->matches && !plan->matches(call)) return 0;
    {
      MutexLock lock(mutex_);
      const uint64_t number = ++calls_;
      if (plan->call == 0 || number < plan->call) return 0;
      const uint64_t later = number - plan->call;
      if (plan->fault == Fault::kFull) return Fill(*plan, kind, later, size);
      if (!plan->for_ever && later > 0) return 0;
      if (plan->fault == Fault::kEintr && later % 2 == 1) return 0;
      if (plan->fault == Fault::kEintr && kind == CallKind::kProtectReadOnly) return 0;
      if (plan->fault == Fault::kShort && (size == nullptr || *size < 2)) return 0;
      ++faults_;
    }
    if (plan->fault == Fault::kShort) *size /= 2;
    if (plan->on_fault) plan->on_fault(call);
    return plan->error != 0 ? -plan->error : ErrorOf(plan->fault);
  }

 private:
  // What kFull does to a call that comes `later` calls after the first that may fail.
  int Fill(const FaultPlan& plan, CallKind kind, uint64_t later, size_t* size)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (kind != CallKind::kWrite || (faults_ == 0 && (later > 0 || *size < 2))) return 0;
    if (faults_ > 1 && !plan.for_ever) return 0;
    if (++faults_ > 1) return -ENOSPC;
    *size /= 2;
    return 0;
  }

  mutable Mutex mutex_;
  std::shared_ptr<const FaultPlan> plan_ ABSL_GUARDED_BY(mutex_) = std::make_shared<FaultPlan>();
  std::shared_ptr<const std::function<void(const Call&)>> hook_ ABSL_GUARDED_BY(mutex_) =
      std::make_shared<std::function<void(const Call&)>>();
  uint64_t calls_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t faults_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<UnreadableRange> ranges_ ABSL_GUARDED_BY(mutex_);
  uint64_t unreadable_ ABSL_GUARDED_BY(mutex_) = 0;
};

class FaultFileSystem::FaultRegion : public MappedRegion {
 public:
  FaultRegion(std::shared_ptr<State> state, std::unique_ptr<MappedRegion> base, std::string name)
      : MappedRegion(base->data(), base->size(), /*observed=*/true),
        state_(std::move(state)),
        base_(std::move(base)),
        name_(std::move(name)) {}

  void Populate(uint64_t offset, size_t length) override { base_->Populate(offset, length); }
  void AdviseRandom() override { base_->AdviseRandom(); }
  void Prefetch(uint64_t offset, size_t length) override { base_->Prefetch(offset, length); }

  absl::Status ProtectReadOnly() override {
    const int error = state_->Count(CallKind::kProtectReadOnly, name_);
    return error < 0 ? ErrnoStatus("mprotect", name_, -error) : base_->ProtectReadOnly();
  }

 protected:
  void DoWrote(uint64_t offset, size_t length) override { base_->Wrote(offset, length); }

 private:
  const std::shared_ptr<State> state_;
  const std::unique_ptr<MappedRegion> base_;
  const std::string name_;
};

class FaultFileSystem::FaultFile : public File {
 public:
  FaultFile(std::shared_ptr<State> state, std::unique_ptr<File> base)
      : File(base->name()), state_(std::move(state)), base_(std::move(base)) {}

  void AdviseRandom() override { base_->AdviseRandom(); }
  uint32_t mode() const override { return base_->mode(); }
  bool IsLinked() const override { return base_->IsLinked(); }
  void CloseInForkedChild() override { base_->CloseInForkedChild(); }

 protected:
  int64_t DoPread(uint64_t offset, void* buffer, size_t size) const override {
    const int error = state_->Count(CallKind::kRead, name(), &size);
    if (error < 0) return error;
    uint64_t file_bytes = 0;
    const int stat = Take(base_->Size(), &file_bytes);
    if (stat < 0) return stat;
    // Behind the end of the file nothing is read.
    size = static_cast<size_t>(std::min<uint64_t>(size, file_bytes - std::min(offset, file_bytes)));
    bool failed = false;
    size = state_->Readable(name(), offset, size, /*writes=*/false, &failed);
    if (failed && size == 0) return -EIO;
    size_t transferred = 0;
    const int result = Take(base_->ReadUpTo(offset, buffer, size), &transferred);
    return result < 0 ? result : static_cast<int64_t>(transferred);
  }

  int64_t DoPwritev(uint64_t offset, const iovec* pieces, int count) override {
    std::vector<iovec> transferred(pieces, pieces + count);
    size_t size = 0;
    for (const iovec& piece : transferred) size += piece.iov_len;
    const int error = state_->Count(CallKind::kWrite, name(), &size);
    if (error < 0) return error;
    bool failed = false;
    size = state_->Readable(name(), offset, size, /*writes=*/true, &failed);
    if (failed && size == 0) return -EIO;
    size_t left = size;
    for (iovec& piece : transferred) {
      piece.iov_len = std::min(piece.iov_len, left);
      left -= piece.iov_len;
    }
    const int result = ErrnoOf(base_->Write(offset, std::move(transferred)));
    return result < 0 ? result : static_cast<int64_t>(size);
  }

  int DoTruncate(uint64_t size) override {
    const int error = state_->Count(CallKind::kTruncate, name());
    return error < 0 ? error : ErrnoOf(base_->Truncate(size));
  }

  int DoSync() override {
    const int error = state_->Count(CallKind::kSync, name());
    return error < 0 ? error : ErrnoOf(base_->Sync());
  }

  int64_t DoSize() const override {
    const int error = state_->Count(CallKind::kSize, name());
    if (error < 0) return error;
    uint64_t size = 0;
    const int result = Take(base_->Size(), &size);
    return result < 0 ? result : static_cast<int64_t>(size);
  }

  int DoMap(size_t size, bool writable, std::unique_ptr<MappedRegion>* region) override {
    int error = state_->Count(CallKind::kMap, name());
    if (error < 0) return error;
    uint64_t file_bytes = 0;
    error = Take(base_->Size(), &file_bytes);
    if (error < 0) return error;
    bool failed = false;
    state_->Readable(name(), 0, static_cast<size_t>(std::min<uint64_t>(size, file_bytes)),
                     /*writes=*/false, &failed);
    if (failed) return -EIO;
    std::unique_ptr<MappedRegion> base;
    error = Take(base_->Map(size, writable), &base);
    if (error < 0) return error;
    *region = std::make_unique<FaultRegion>(state_, std::move(base), name());
    return 0;
  }

  int DoLock(LockKind kind) override {
    const int error = state_->Count(CallKind::kLock, name());
    return error < 0 ? error : ErrnoOf(base_->TryLock(kind));
  }

 private:
  const std::shared_ptr<State> state_;
  const std::unique_ptr<File> base_;
};

class FaultFileSystem::FaultDirectory : public Directory {
 public:
  FaultDirectory(std::shared_ptr<State> state, std::unique_ptr<Directory> base)
      : Directory(base->path()), state_(std::move(state)), base_(std::move(base)) {}

  DirectoryIdentity identity() const override { return base_->identity(); }
  bool IsLinked() const override { return base_->IsLinked(); }
  void SetFileMode(uint32_t mode) override {
    Directory::SetFileMode(mode);
    base_->SetFileMode(mode);
  }
  int descriptor() const override { return base_->descriptor(); }

 protected:
  int DoOpen(const std::string& name, OpenMode mode, std::unique_ptr<File>* file) override {
    int error = state_->Count(CallKind::kOpen, PathOf(name));
    if (error < 0) return error;
    std::unique_ptr<File> base;
    error = Take(base_->Open(name, mode), &base);
    if (error < 0) return error;
    *file = std::make_unique<FaultFile>(state_, std::move(base));
    return 0;
  }

  int DoOpenForLocking(std::unique_ptr<File>* file) override {
    int error = state_->Count(CallKind::kOpen, path());
    if (error < 0) return error;
    std::unique_ptr<File> base;
    error = Take(base_->OpenForLocking(), &base);
    if (error < 0) return error;
    *file = std::make_unique<FaultFile>(state_, std::move(base));
    return 0;
  }

  int DoUnlink(const std::string& name) override {
    const int error = state_->Count(CallKind::kUnlink, PathOf(name));
    return error < 0 ? error : ErrnoOf(base_->Unlink(name));
  }

  int DoRename(const std::string& from, const std::string& to) override {
    const int error = state_->Count(CallKind::kRename, PathOf(from));
    return error < 0 ? error : ErrnoOf(base_->Rename(from, to));
  }

  int DoSync() override {
    const int error = state_->Count(CallKind::kSyncDirectory, path());
    return error < 0 ? error : ErrnoOf(base_->Sync());
  }

  int DoList(std::vector<std::string>* names) override {
    const int error = state_->Count(CallKind::kList, path());
    return error < 0 ? error : Take(base_->List(), names);
  }

 private:
  std::string PathOf(const std::string& name) const { return path() + "/" + name; }

  const std::shared_ptr<State> state_;
  const std::unique_ptr<Directory> base_;
};

FaultFileSystem::FaultFileSystem(FileSystem* base)
    : base_(base), state_(std::make_shared<State>()) {}

FaultFileSystem::~FaultFileSystem() = default;

FaultFileSystem::Counts FaultFileSystem::SetPlan(FaultPlan plan) {
  return state_->SetPlan(std::move(plan));
}
uint64_t FaultFileSystem::call_count() const { return state_->calls(); }
uint64_t FaultFileSystem::fault_count() const { return state_->faults(); }

void FaultFileSystem::SetUnreadable(std::vector<UnreadableRange> ranges) {
  state_->SetUnreadable(std::move(ranges));
}
uint64_t FaultFileSystem::unreadable_count() const { return state_->unreadable(); }
void FaultFileSystem::SetHook(std::function<void(const Call&)> hook) {
  state_->SetHook(std::move(hook));
}

int FaultFileSystem::DoOpenDirectory(const std::string& path,
                                     std::unique_ptr<Directory>* directory) {
  int error = state_->Count(CallKind::kOpenDirectory, path);
  if (error < 0) return error;
  std::unique_ptr<Directory> base;
  error = Take(base_->OpenDirectory(path), &base);
  if (error < 0) return error;
  *directory = std::make_unique<FaultDirectory>(state_, std::move(base));
  return 0;
}

int FaultFileSystem::DoCreateDirectory(const std::string& path, uint32_t mode) {
  const int error = state_->Count(CallKind::kCreateDirectory, path);
  return error < 0 ? error : ErrnoOf(base_->CreateDirectory(path, mode));
}

int FaultFileSystem::DoRemoveDirectory(const std::string& path) {
  const int error = state_->Count(CallKind::kRemoveDirectory, path);
  if (error < 0) return error;
  const absl::Status status = base_->RemoveDirectory(path);
  return absl::IsFailedPrecondition(status) ? -ENOTEMPTY : ErrnoOf(status);
}

int FaultFileSystem::DoSyncParent(const std::string& path) {
  const int error = state_->Count(CallKind::kSyncParent, path);
  return error < 0 ? error : ErrnoOf(base_->SyncParent(path));
}

}  // namespace rumcask
