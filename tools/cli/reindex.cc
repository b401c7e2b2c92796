// rumcask reindex DB --to NAME

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"

#include "core/db.h"
#include "core/listener.h"
#include "tools/cli/command.h"
#include "tools/cli/commands.h"
#include "tools/cli/open_database.h"
#include "tools/cli/output.h"
#include "tools/cli/printable.h"
#include "tools/cli/progress.h"

namespace rumcask::cli {
namespace {

// Shows how much of the log has been read.
class ShownLoading : public Listener {
 public:
  void OnIndexLoading(size_t segments, size_t of) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (progress_ == nullptr) progress_ = std::make_unique<Progress>("reindex", of);
    progress_->Now(segments, segments);
  }

 private:
  std::mutex mutex_;
  std::unique_ptr<Progress> progress_;
};

absl::Status Reindex(const Flags& flags, const std::string& to) {
  absl::StatusOr<KeystoreFactory> keystore = NamedKeystore(to);
  if (!keystore.ok()) return keystore.status();
  absl::StatusOr<std::string> stored = DB::StoredKeystore(flags.db);
  if (!stored.ok()) return AboutPath(flags.db, /*create=*/false, stored.status());
  if (*stored == to) return Print(absl::StrFormat("%s is the keystore already\n", to));
  absl::StatusOr<std::unique_ptr<DB>> db = RetryWhileLocked(flags, [&] {
    Options options;
    options.keystore = *keystore;
    options.reindex = true;
    options.listener = std::make_shared<ShownLoading>();
    return DB::Open(flags.db, options);
  });
  if (!db.ok()) return AboutPath(flags.db, /*create=*/false, db.status());
  // Close brings what is still in memory to the index.
  absl::Status status = (*db)->Close();
  if (!status.ok()) return status;
  return Print(absl::StrFormat("%s takes the place of %s\n", to, Printable(*stored)));
}

}  // namespace

int RunReindex(const std::vector<std::string>& arguments) {
  CommandLine line(
      "Builds the index of another keystore from the log and makes that keystore the database's "
      "own. If it is interrupted, the database stays as it was.");
  Flags flags;
  std::string to;
  AddDatabase(&line, &flags);
  line.Option("--to", "NAME", &to, "The new keystore; required");
  return Run("reindex", &line, arguments, [&]() -> absl::Status {
    if (to.empty()) return UsageError("--to NAME is missing");
    return Reindex(flags, to);
  });
}

}  // namespace rumcask::cli
