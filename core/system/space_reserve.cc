#include "core/system/space_reserve.h"

#include <algorithm>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

#include "core/system/seeded_bug.h"

namespace rumcask {
namespace {

// Others on the disk may take what is given up, so that is no more than a quarter at once.
constexpr uint64_t kParts = 4;

constexpr uint64_t kBlock = 4096;

// Blocks are asked for in such pieces, so that what can be had is had.
constexpr uint64_t kPiece = uint64_t{1} << 20;

// With so much room the disk is not full, whatever failed: there was no descriptor, say.
constexpr uint64_t kPlenty = uint64_t{16} << 20;

// How often refused writers try to fill it.
constexpr std::chrono::milliseconds kInterval(100);

}  // namespace

void SpaceReserve::Begin() {
  MutexLock lock(mutex_);
  supported_ = directory_->disk_space().all > 0;
  if (!supported_) return;
  absl::StatusOr<std::unique_ptr<File>> file = directory_->Open(kReserveName, OpenMode::kReadOnly);
  if (!file.ok()) return;
  const absl::StatusOr<uint64_t> size = (*file)->Size();
  if (size.ok()) bytes_.store(*size, std::memory_order_relaxed);
  has_holes_ = true;
}

void SpaceReserve::FillHoles() {
  has_holes_ = false;
  absl::StatusOr<std::unique_ptr<File>> file = directory_->Open(kReserveName, OpenMode::kReadWrite);
  if (file.ok() && !(*file)->Allocate(bytes()).ok()) (void)Shrink(0);
}

void SpaceReserve::Hold(uint64_t bytes) {
  MutexLock lock(mutex_);
  wanted_ = bytes;
  if (has_holes_) FillHoles();
  if (this->bytes() / 2 > wanted_) (void)Shrink(wanted_);
  // What was whole stays so until half of it is missing: a disk may be nearly full for years.
  Fill(is_spent() ? wanted_ : wanted_ / 2);
}

void SpaceReserve::Fill(uint64_t enough) {
  tried_at_ = std::chrono::steady_clock::now();
  uint64_t held = bytes();
  if (held < wanted_ && supported_) {
    absl::StatusOr<std::unique_ptr<File>> file =
        directory_->Open(kReserveName, OpenMode::kCreateOrKeep);
    // For want of a descriptor, say. That tells nothing of the disk.
    if (!file.ok()) return;
    const absl::StatusOr<uint64_t> size = (*file)->Size();
    if (size.ok()) held = *size;
    // Whether that can be done at all is asked before whether there is room.
    absl::Status status = (*file)->Allocate(std::max(held, kBlock));
    while (status.ok() && held < wanted_) {
      const uint64_t more = std::min(wanted_, held + kPiece);
      // Were the reserve to take the last block, whoever makes room would need it for each step.
      if (directory_->disk_space().free < more - held + wanted_ / kParts) break;
      status = (*file)->Allocate(more);
      if (status.ok()) {
        held = more;
      } else {
        // Of a failed call some blocks may stay.
        (void)(*file)->Truncate(held);
      }
    }
    if (!status.ok() && !absl::IsResourceExhausted(status)) {
      supported_ = false;
      (void)directory_->Unlink(kReserveName);
      held = 0;
    }
    bytes_.store(held, std::memory_order_relaxed);
  }
  spent_.store(supported_ && held < enough, std::memory_order_relaxed);
}

bool SpaceReserve::Shrink(uint64_t bytes) {
  absl::StatusOr<std::unique_ptr<File>> file = directory_->Open(kReserveName, OpenMode::kReadWrite);
  // Somebody may have removed it.
  if (absl::IsNotFound(file.status())) bytes_.store(0, std::memory_order_relaxed);
  if (!file.ok() || !(*file)->Truncate(bytes).ok()) return false;
  bytes_.store(bytes, std::memory_order_relaxed);
  return true;
}

bool SpaceReserve::GiveUp() {
  if (SeededBug("reserve-kept")) return false;
  MutexLock lock(mutex_);
  const uint64_t held = bytes();
  if (held == 0 || directory_->disk_space().free > std::max(kPlenty, wanted_)) return false;
  const uint64_t part = std::max(kPiece, wanted_ / kParts);
  if (!Shrink(held - std::min(held, part))) return false;
  spent_.store(true, std::memory_order_relaxed);
  return true;
}

uint64_t SpaceReserve::RoomNow() const {
  const DiskSpace disk = directory_->disk_space();
  return disk.all == 0 ? UINT64_MAX : disk.free + bytes();
}

uint64_t SpaceReserve::Room() {
  MutexLock lock(mutex_);
  return RoomNow();
}

uint64_t SpaceReserve::Spare() {
  MutexLock lock(mutex_);
  const uint64_t room = RoomNow();
  return room - std::min(room / 2, wanted_ / kParts);
}

bool SpaceReserve::IsLow() {
  MutexLock lock(mutex_);
  return supported_ && RoomNow() < wanted_ / 2;
}

absl::Status SpaceReserve::FillOrRefuse() {
  MutexLock lock(mutex_);
  if (std::chrono::steady_clock::now() - tried_at_ >= kInterval) Fill(wanted_);
  if (!is_spent() || SeededBug("reserve-not-refilled")) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(absl::StrCat(
      directory_->path(), ": the disk is full; deletes and compaction go on, other writes do when ",
      wanted_ - std::min(wanted_, bytes()) + wanted_ / kParts, " bytes are free"));
}

}  // namespace rumcask
