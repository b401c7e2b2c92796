#include "core/segment/descriptor_cache.h"

#include <algorithm>
#include <utility>

#include "core/format/format.h"

namespace rumcask {

// ---- one file ----

CachedFile::CachedFile(std::shared_ptr<DescriptorCache> cache, std::string name)
    : cache_(std::move(cache)), name_(std::move(name)) {}

CachedFile::~CachedFile() { cache_->Forget(this); }

bool CachedFile::TryUse() {
  if ((state_.fetch_add(kUser, std::memory_order_acq_rel) & kOpen) != 0) return true;
  // Who waits for an idle file may see this one as used meanwhile; OpenAndUse, which follows, uses
  // it or leaves it to them.
  state_.fetch_sub(kUser, std::memory_order_relaxed);
  return false;
}

void CachedFile::Release() {
  const uint64_t before = state_.fetch_sub(kUser, std::memory_order_seq_cst);
  if (before == kOpen + kUser) cache_->NoteIdle();
}

std::unique_ptr<File> CachedFile::TryClose() {
  uint64_t idle = kOpen;
  if (!state_.compare_exchange_strong(idle, 0, std::memory_order_seq_cst)) return nullptr;
  return std::move(file_);
}

absl::Status CachedFile::Read(uint64_t offset, void* buffer, size_t size) {
  if (TryUse()) {
    if (!used_again_.load(std::memory_order_relaxed)) {
      used_again_.store(true, std::memory_order_relaxed);
    }
  } else {
    absl::Status status = cache_->OpenAndUse(this);
    if (!status.ok()) return status;
  }
  absl::Status status = file_->Read(offset, buffer, size);
  Release();
  return status;
}

void CachedFile::Prefetch(uint64_t offset, size_t size) {
  if (!TryUse() && !cache_->OpenAndUse(this).ok()) return;
  file_->Prefetch(offset, size);
  Release();
}

// ---- all of them ----

DescriptorCache::DescriptorCache(Directory* directory, size_t limit)
    : directory_(directory), limit_(std::max(limit, size_t{1})) {}

absl::Status DescriptorCache::OpenAndUse(CachedFile* file) {
  bool starved = false;
  while (true) {
    std::unique_ptr<File> closing;
    bool used = false;
    {
      MutexLock lock(mutex_);
      if (!MakeRoom(file, starved, &closing, &used)) {
        return absl::ResourceExhaustedError(
            "no descriptor left to read from a segment without a mapping");
      }
    }
    if (used) return absl::OkStatus();
    closing.reset();
    absl::StatusOr<std::unique_ptr<File>> opened =
        directory_->Open(file->name_, OpenMode::kReadOnly);
    if (opened.ok()) {
      (*opened)->AdviseRandom();
      MutexLock lock(mutex_);
      if (file->TryUse()) {  // another was faster
        Uncount();
        return absl::OkStatus();
      }
      file->file_ = *std::move(opened);
      file->used_again_.store(false, std::memory_order_relaxed);
      file->place_ = open_.size();
      open_.push_back(file);
      file->state_.fetch_add(CachedFile::kOpen + CachedFile::kUser, std::memory_order_acq_rel);
      return absl::OkStatus();
    }
    MutexLock lock(mutex_);
    Uncount();
    if (!absl::IsResourceExhausted(opened.status()) || open_.empty()) return opened.status();
    // Those there are must do: wait for one of them.
    starved = true;
  }
}

bool DescriptorCache::MakeRoom(CachedFile* file, bool starved, std::unique_ptr<File>* closing,
                               bool* used) {
  while (true) {
    *used = file->TryUse();
    if (*used) return true;
    if (!starved && count_ < limit_) {
      ++count_;
      return true;
    }
    *closing = TakeIdle();
    if (*closing != nullptr) return true;
    if (starved && open_.empty()) return false;
    // Whoever has stopped using a file either sees that somebody waits, or did so before this looks
    // again.
    waiting_.fetch_add(1, std::memory_order_seq_cst);
    *closing = TakeIdle();
    if (*closing == nullptr) idle_.Wait(mutex_);
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    if (*closing != nullptr) return true;
  }
}

std::unique_ptr<File> DescriptorCache::TakeIdle() {
  // Twice around: the first time, those used again since the last search are passed over.
  for (size_t looked = 0; looked < 2 * open_.size(); ++looked) {
    if (hand_ >= open_.size()) hand_ = 0;
    CachedFile* const file = open_[hand_];
    const bool second_time = looked >= open_.size();
    if (!file->used_again_.exchange(false, std::memory_order_relaxed) || second_time) {
      std::unique_ptr<File> taken = file->TryClose();
      if (taken != nullptr) {
        Remove(file);
        return taken;
      }
    }
    ++hand_;
  }
  return nullptr;
}

void DescriptorCache::Remove(CachedFile* file) {
  open_[file->place_] = open_.back();
  open_[file->place_]->place_ = file->place_;
  open_.pop_back();
}

void DescriptorCache::Uncount() {
  --count_;
  if (waiting_.load(std::memory_order_relaxed) > 0) idle_.NotifyOne();
}

void DescriptorCache::WakeOne() {
  MutexLock lock(mutex_);
  idle_.NotifyOne();
}

void DescriptorCache::Forget(CachedFile* file) {
  std::unique_ptr<File> closing;
  MutexLock lock(mutex_);
  closing = file->TryClose();
  if (closing == nullptr) return;
  Remove(file);
  Uncount();
}

absl::Status DescriptorCache::Reserve() {
  {
    MutexLock lock(mutex_);
    if (reserve_ != nullptr) return absl::OkStatus();
  }
  absl::StatusOr<std::unique_ptr<File>> opened =
      directory_->Open(kManifestName, OpenMode::kReadOnly);
  if (!opened.ok()) {
    // What else is wrong with MANIFEST is for those to tell who need what it says.
    return absl::IsResourceExhausted(opened.status()) ? opened.status() : absl::OkStatus();
  }
  MutexLock lock(mutex_);
  reserve_ = *std::move(opened);
  return absl::OkStatus();
}

bool DescriptorCache::GiveUp(std::string_view name) {
  std::unique_ptr<File> closing;
  MutexLock lock(mutex_);
  closing = TakeIdle();
  if (closing != nullptr) {
    Uncount();
    return true;
  }
  if (name != kManifestNextName) return false;
  closing = std::move(reserve_);
  return closing != nullptr;
}

void DescriptorCache::CloseIdle() {
  MutexLock lock(mutex_);
  reserve_.reset();
  while (TakeIdle() != nullptr) Uncount();
}

size_t DescriptorCache::count() const {
  MutexLock lock(mutex_);
  return count_;
}

}  // namespace rumcask
