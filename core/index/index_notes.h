// Notes beside the indexes of a database, which tell what an opening was doing that did not end.

#ifndef RUMCASK_CORE_INDEX_INDEX_NOTES_H_
#define RUMCASK_CORE_INDEX_INDEX_NOTES_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/system/file_system.h"

namespace rumcask {

// The path of the keystore's index: DATABASE/index/NAME, where `path` is the database.
std::string IndexPath(const std::string& path, const std::string& keystore);

// Whether this may be the name of a keystore: letters, digits, '_' and '-'. Other names, which a
// hostile MANIFEST may hold, could lead out of the directory.
bool IsKeystoreName(const std::string& name);

// The notes are empty files DATABASE/index/NAME.reindexing, and files DATABASE/index/NAME.opening
// with a byte for each attempt. To be used by whoever has opened the database for writing.
class IndexNotes {
 public:
  // `file_system` must outlive it.
  IndexNotes(FileSystem* file_system, std::string path)
      : file_system_(file_system), path_(std::move(path)) {}

  // Notes durably that the keystore's index is to be kept only if MANIFEST names the keystore, as
  // it is being built or about to be replaced. To be called before there is anything to remove.
  absl::Status BeginReindexing(const std::string& keystore);

  // Removes the indexes that have such a note, except that of `keystore`, which MANIFEST names.
  // Then removes those notes, and the notes of other keystores' openings. What cannot be removed
  // stays. No other file is touched.
  void CleanUp(const std::string& keystore);

  // Notes that the keystore's index is being opened, if there is one. Returns how many openings
  // have begun since the last one that ended, which is how often opening it has ended the process.
  // Errors are ignored, as the note only serves to break a cycle of crashes.
  int BeginOpening(const std::string& keystore);
  void EndOpening(const std::string& keystore);

 private:
  // Opens DATABASE/index. NotFound if it does not exist or is not a directory.
  absl::StatusOr<std::unique_ptr<Directory>> OpenDirectory();
  absl::StatusOr<std::unique_ptr<Directory>> MakeDirectory();

  FileSystem* const file_system_;
  const std::string path_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_INDEX_INDEX_NOTES_H_
