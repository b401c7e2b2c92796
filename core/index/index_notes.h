// Notes beside the indexes of a database: what an opening that did not come to its end was doing.

#ifndef RUMCASK_CORE_INDEX_INDEX_NOTES_H_
#define RUMCASK_CORE_INDEX_INDEX_NOTES_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/system/file_system.h"

namespace rumcask {

// Where the index of the keystore is: DATABASE/index/NAME, `path` being the database.
std::string IndexPath(const std::string& path, const std::string& keystore);

// Whether a keystore may be called so: letters, digits, '_' and '-'. Other names, as a hostile file
// may have them, could lead out of the directory.
bool IsKeystoreName(const std::string& name);

// Empty files DATABASE/index/NAME.reindexing, and DATABASE/index/NAME.opening of some bytes. To be
// used by whoever has the database open for writing.
class IndexNotes {
 public:
  // `file_system` must outlive it.
  IndexNotes(FileSystem* file_system, std::string path)
      : file_system_(file_system), path_(std::move(path)) {}

  // Notes, durably and before there is anything to remove, that the keystore's index is of use only
  // if MANIFEST names the keystore: it is being built, or about to be given up.
  absl::Status BeginReindexing(const std::string& keystore);

  // Removes the indexes of which that is noted, but for that of `keystore`, which MANIFEST names;
  // then those notes, and the notes of other keystores' openings. What can't be removed stays. No
  // other file is touched.
  void CleanUp(const std::string& keystore);

  // Notes that the keystore's index is being opened, if there is one. Returns how often that has
  // been begun since it last came to an end: so often it has ended the process. What fails is of no
  // importance.
  int BeginOpening(const std::string& keystore);
  void EndOpening(const std::string& keystore);

 private:
  // DATABASE/index; NotFound if there is none, or something else of that name.
  absl::StatusOr<std::unique_ptr<Directory>> OpenDirectory();
  absl::StatusOr<std::unique_ptr<Directory>> MakeDirectory();

  FileSystem* const file_system_;
  const std::string path_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_INDEX_INDEX_NOTES_H_
