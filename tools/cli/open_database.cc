#include "tools/cli/open_database.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"

#include "core/db.h"
#include "core/listener.h"
#include "core/options.h"
#include "core/stats.h"
#include "keystores/btree/btree_keystore.h"
#include "keystores/by_name.h"
#include "keystores/hash/hash_keystore.h"
#include "tools/cli/command.h"

namespace rumcask::cli {
namespace {

// Collects the damage that opening reports.
class DamageCollector : public Listener {
 public:
  void OnDamage(const absl::Status& status) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    damages_.push_back(status);
  }

  std::vector<absl::Status> damages() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return damages_;
  }

 private:
  std::mutex mutex_;
  std::vector<absl::Status> damages_;
};

absl::StatusOr<std::unique_ptr<DB>> Opened(
    const Flags& flags, bool create,
    const std::function<absl::StatusOr<std::unique_ptr<DB>>()>& open) {
  absl::StatusOr<std::unique_ptr<DB>> db = RetryWhileLocked(flags, open);
  if (!db.ok()) return AboutPath(flags.db, create, db.status());
  return db;
}

absl::Status Complete(const std::vector<absl::Status>& damages, const Stats& stats) {
  // A damaged footer hides no keys, because the records themselves were read.
  if (damages.size() <= stats.recovery.damaged_footers) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(
      damages.front().message(), "; keys may be hidden by damage, 'rumcask verify' lists it"));
}

}  // namespace

absl::Status AboutPath(std::string_view path, bool create, const absl::Status& status) {
  if (status.ok() || path.empty()) return status;
  const std::string name(path);
  const auto told = [&](absl::string_view what) {
    return absl::Status(status.code(), absl::StrCat(name, ": ", what));
  };
  struct stat about = {};
  const int error = ::stat(name.c_str(), &about) == 0 ? 0 : errno;
  if (error == ENOTDIR) return told("a part of the path is not a directory");
  if (error == EACCES) return told("no permission to access it");
  if (error == 0 && !S_ISDIR(about.st_mode))
    return told("it is not a directory, so it is no database");
  // If the database is to be created, NotFound means that its parent is missing.
  if (absl::IsNotFound(status) && !create) return told("there is no database");
  if (!absl::IsPermissionDenied(status)) return status;
  if (error == ENOENT && create) return told("it cannot be created: no permission to write there");
  const bool may_enter = ::access(name.c_str(), R_OK | X_OK) == 0;
  return may_enter ? status : told("no permission to read the directory");
}

absl::StatusOr<KeystoreFactory> NamedKeystore(std::string_view name) {
  absl::StatusOr<KeystoreFactory> factory = KeystoreByName(name);
  if (!factory.ok()) return UsageError(std::string(factory.status().message()));
  return factory;
}

absl::StatusOr<KeystoreFactory> KeystoreOf(const Flags& flags) {
  if (!flags.keystore.empty()) return NamedKeystore(flags.keystore);
  absl::StatusOr<std::string> stored = DB::StoredKeystore(flags.db);
  // A database whose creation did not finish has no keystore yet.
  if (!stored.ok() || stored->empty()) return NamedKeystore(KeystoreNames().front());
  absl::StatusOr<KeystoreFactory> factory = KeystoreByName(*stored);
  if (factory.ok()) return factory;
  return absl::FailedPreconditionError(
      absl::StrFormat("%s: its keystore '%s' is not one of this program's, which are: %s", flags.db,
                      *stored, absl::StrJoin(KeystoreNames(), ", ")));
}

namespace {

absl::StatusOr<ReadOnlyDatabase> OpenForReadingWith(const KeystoreFactory& keystore,
                                                    const Flags& flags) {
  std::shared_ptr<DamageCollector> collector;
  absl::StatusOr<std::unique_ptr<DB>> db = Opened(flags, /*create=*/false, [&] {
    collector = std::make_shared<DamageCollector>();
    Options options;
    options.keystore = keystore;
    options.listener = collector;
    return DB::OpenReadOnly(flags.db, options);
  });
  if (!db.ok()) return db.status();
  absl::Status complete = Complete(collector->damages(), (*db)->GetStats());
  return ReadOnlyDatabase{*std::move(db), std::move(complete), ""};
}

}  // namespace

absl::StatusOr<ReadOnlyDatabase> OpenForReading(const Flags& flags, ReadFrom from) {
  absl::StatusOr<KeystoreFactory> keystore = KeystoreOf(flags);
  if (!keystore.ok()) return keystore.status();
  if (from == ReadFrom::kLog && flags.keystore.empty() && keystore->traits.persistent) {
    keystore = NamedKeystore(KeystoreNames().front());
  }
  absl::StatusOr<ReadOnlyDatabase> database = OpenForReadingWith(*keystore, flags);
  const bool may_be_the_index = absl::IsFailedPrecondition(database.status()) &&
                                flags.keystore.empty() && keystore->traits.persistent;
  if (!may_be_the_index) return database;
  const std::string reason(database.status().message());
  database = OpenForReadingWith(keystore->traits.ordered ? BtreeKeystore() : HashKeystore(), flags);
  if (database.ok()) database->index_unusable = reason;
  return database;
}

absl::StatusOr<std::unique_ptr<DB>> OpenForWriting(const Flags& flags, bool create_if_missing) {
  absl::StatusOr<KeystoreFactory> keystore = KeystoreOf(flags);
  if (!keystore.ok()) return keystore.status();
  Options options;
  options.keystore = *std::move(keystore);
  options.create_if_missing = create_if_missing;
  absl::StatusOr<std::unique_ptr<DB>> db =
      Opened(flags, create_if_missing, [&] { return DB::Open(flags.db, options); });
  if (!db.ok()) return db;
  const Stats stats = (*db)->GetStats();
  if (!stats.index_rebuilt.empty()) {
    PrintError(absl::StrFormat("note: the index of %s was built anew from the log: %s",
                               stats.keystore, stats.index_rebuilt));
  }
  return db;
}

Patience::Patience(double seconds) : duration_(seconds), begin_(std::chrono::steady_clock::now()) {}

bool Patience::Lasts(const absl::Status& status) const {
  constexpr std::chrono::duration<double> kPause(0.05);
  const std::chrono::duration<double> left =
      duration_ - (std::chrono::steady_clock::now() - begin_);
  if (!absl::IsUnavailable(status) || left.count() <= 0) return false;
  std::this_thread::sleep_for(std::min(kPause, left));
  return true;
}

}  // namespace rumcask::cli
