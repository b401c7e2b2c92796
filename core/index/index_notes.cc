#include "core/index/index_notes.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "core/plugin/index_directory.h"
#include "core/system/seeded_bug.h"

namespace rumcask {
namespace {

constexpr absl::string_view kReindexing = ".reindexing";
constexpr absl::string_view kOpening = ".opening";

// A link is not followed: notes would be written elsewhere.
bool IsLink(const std::string& path) {
  struct stat status;
  return ::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode);
}

}  // namespace

std::string IndexPath(const std::string& path, const std::string& keystore) {
  return absl::StrCat(path, "/index/", keystore);
}

bool IsKeystoreName(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
  });
}

absl::StatusOr<std::unique_ptr<Directory>> IndexNotes::OpenDirectory() {
  const std::string path = absl::StrCat(path_, "/index");
  if (IsLink(path)) return absl::NotFoundError(absl::StrCat(path, ": a link"));
  return file_system_->OpenDirectory(path);
}

absl::StatusOr<std::unique_ptr<Directory>> IndexNotes::MakeDirectory() {
  const std::string path = absl::StrCat(path_, "/index");
  absl::StatusOr<std::unique_ptr<Directory>> directory = OpenDirectory();
  if (directory.ok()) return directory;
  absl::Status status = PutAsideIfNoDirectory(path);
  if (status.ok()) status = file_system_->CreateDirectory(path);
  if (status.ok()) status = file_system_->SyncParent(path);
  if (!status.ok()) return status;
  return OpenDirectory();
}

absl::Status IndexNotes::BeginReindexing(const std::string& keystore) {
  absl::StatusOr<std::unique_ptr<Directory>> directory = MakeDirectory();
  if (!directory.ok()) return directory.status();
  absl::StatusOr<std::unique_ptr<File>> note =
      (*directory)->Open(absl::StrCat(keystore, kReindexing), OpenMode::kCreateOrKeep);
  return note.ok() ? (*directory)->Sync() : note.status();
}

void IndexNotes::CleanUp(const std::string& keystore) {
  absl::StatusOr<std::unique_ptr<Directory>> directory = OpenDirectory();
  if (!directory.ok()) return;
  absl::StatusOr<std::vector<std::string>> names = (*directory)->List();
  if (!names.ok()) return;
  bool changed = false;
  for (const std::string& note : *names) {
    for (const absl::string_view kind : {kReindexing, kOpening}) {
      if (!absl::EndsWith(note, kind)) continue;
      const std::string name = note.substr(0, note.size() - kind.size());
      const bool has_it = name == keystore;
      if (!IsKeystoreName(name) || (kind == kOpening && has_it)) continue;
      if (kind == kReindexing && !has_it && !RemoveIndexDirectory(IndexPath(path_, name)).ok()) {
        continue;
      }
      changed = (*directory)->Unlink(note).ok() || changed;
    }
  }
  if (changed) (void)(*directory)->Sync();
}

int IndexNotes::BeginOpening(const std::string& keystore) {
  const std::string index = IndexPath(path_, keystore);
  if (IsLink(index) || !file_system_->OpenDirectory(index).ok()) return 0;
  absl::StatusOr<std::unique_ptr<Directory>> directory = OpenDirectory();
  if (!directory.ok()) return 0;
  absl::StatusOr<std::unique_ptr<File>> note =
      (*directory)->Open(absl::StrCat(keystore, kOpening), OpenMode::kCreateOrKeep);
  if (!note.ok()) return 0;
  absl::StatusOr<uint64_t> deaths = (*note)->Size();
  if (!deaths.ok()) return 0;
  (void)(*note)->Write(*deaths, ".");
  return static_cast<int>(std::min<uint64_t>(*deaths, 99));
}

void IndexNotes::EndOpening(const std::string& keystore) {
  absl::StatusOr<std::unique_ptr<Directory>> directory = OpenDirectory();
  if (!directory.ok()) return;
  // Power cuts do not count.
  if ((*directory)->Unlink(absl::StrCat(keystore, kOpening)).ok()) (void)(*directory)->Sync();
}

}  // namespace rumcask
