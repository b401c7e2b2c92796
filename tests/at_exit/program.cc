// A program whose database is still open when main returns.
//
//   program DIRECTORY KEYSTORE mapped|pread destroyed|used|thread|forked
//
// destroyed: a static holds the database, and that is all. used: another static's destructor uses
// it. thread: so does that of an object of a thread's. forked: a child ends by exit meanwhile. Exit
// code 0 if all was as it has to be.

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "core/db.h"
#include "keystores/by_name.h"

namespace {

using rumcask::DB;

constexpr int kKeys = 3000;

std::string KeyOf(int i) { return absl::StrCat("key", 10000 + i); }

// Values that are copied and values that would be pinned.
std::string ValueOf(int i) { return absl::StrCat(i, std::string(i % 2 == 0 ? 10 : 500, 'v')); }

void Require(bool holds, std::string_view what, const absl::Status& status = absl::OkStatus()) {
  if (holds) return;
  std::fprintf(stderr, "%s: %s\n", std::string(what).c_str(), status.ToString().c_str());
  ::_exit(1);
}

void Use(DB* db) {
  std::string value;
  for (int i = 0; i < kKeys; i += 7) {
    const absl::Status status = db->Get(KeyOf(i), &value);
    Require(status.ok() && value == ValueOf(i), "get", status);
  }
  rumcask::PinnedValue pinned;
  absl::Status status = db->Get(KeyOf(1), &pinned);
  Require(status.ok() && pinned.value() == ValueOf(1), "pinned get", status);
  Require(absl::IsNotFound(db->Get("missing", &value)), "get of a missing key");
  const std::string first = KeyOf(2);
  const std::vector<std::string_view> keys = {first, "missing"};
  std::vector<std::string> values;
  std::vector<absl::Status> statuses;
  db->MultiGet(keys, &values, &statuses);
  Require(statuses[0].ok() && values[0] == ValueOf(2), "multiget", statuses[0]);
  // As much as goes to an index on disk.
  for (int i = 0; i < kKeys; ++i) {
    status = db->Put(KeyOf(i), ValueOf(i));
    Require(status.ok(), "put", status);
  }
  rumcask::WriteResult result;
  status = db->PutIfAbsent(KeyOf(3), "other", {}, &result);
  Require(absl::IsAlreadyExists(status) && result.existed, "put if absent", status);
  status = db->Put("synced", "value", {/*sync=*/true});
  Require(status.ok(), "synced put", status);
  auto it = db->NewIterator();
  Require(it.ok(), "iterator", it.status());
  int seen = 0;
  for (; (*it)->Valid(); (*it)->Next()) ++seen;
  Require((*it)->status().ok() && seen == kKeys + 1, "iterate", (*it)->status());
  status = db->Delete("synced");
  Require(status.ok(), "delete", status);
}

// Destroyed in reverse: the last one of them first.
std::unique_ptr<DB> database;

struct UsesItAtExit {
  ~UsesItAtExit() {
    if (!wanted) return;
    Use(database.get());
    const absl::Status status = database->Close();
    Require(status.ok(), "close", status);
  }
  bool wanted = false;
};
UsesItAtExit uses_it_at_exit;

struct UsesItAtItsThreadsEnd {
  ~UsesItAtItsThreadsEnd() { Use(database.get()); }
  int touched = 0;
};

void UseInThread() {
  // Made before whatever the database keeps for the thread, and so destroyed after it.
  thread_local UsesItAtItsThreadsEnd object;
  object.touched = 1;
  Use(database.get());
}

}  // namespace

int main(int argc, char** argv) {
  Require(argc == 5, "arguments");
  const std::string_view scenario = argv[4];
  auto keystore = rumcask::KeystoreByName(argv[2]);
  Require(keystore.ok(), "keystore", keystore.status());
  rumcask::Options options;
  options.keystore = *std::move(keystore);
  options.keystore->buffer_bytes = 4096;
  options.create_if_missing = true;
  options.read_mode =
      std::string_view(argv[3]) == "pread" ? rumcask::ReadMode::kPread : rumcask::ReadMode::kMapped;
  auto opened = DB::Open(argv[1], options);
  Require(opened.ok(), "open", opened.status());
  database = *std::move(opened);
  for (int i = 0; i < kKeys; ++i) {
    const absl::Status status = database->Put(KeyOf(i), ValueOf(i));
    Require(status.ok(), "put", status);
  }
  std::string value;
  for (int i = 0; i < kKeys; ++i) {
    const absl::Status status = database->Get(KeyOf(i), &value);
    Require(status.ok(), "get", status);
  }
  uses_it_at_exit.wanted = scenario == "used";
  if (scenario == "thread") std::thread(UseInThread).join();
  if (scenario == "forked") {
    const pid_t child = ::fork();
    if (child == 0) std::exit(0);
    int how = -1;
    Require(::waitpid(child, &how, 0) == child && how == 0, "child");
    Use(database.get());
  }
  return 0;
}
