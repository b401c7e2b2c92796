// Walks over keys in order while they change: an iterator, and a snapshot for several reads.
//
//   walk DATABASE

#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include "rumcask/btree_keystore.h"
#include "rumcask/db.h"

namespace {

// Prints the keys that begin with `prefix`, and their values, as they were at `snapshot`.
absl::Status Print(rumcask::DB* db, const std::string& prefix,
                   std::shared_ptr<const rumcask::Snapshot> snapshot) {
  rumcask::IteratorOptions options;
  options.prefix = prefix;
  options.ordered = true;
  options.snapshot = std::move(snapshot);
  auto it = db->NewIterator(options);
  if (!it.ok()) return it.status();
  for (; (*it)->Valid(); (*it)->Next()) {
    std::cout << (*it)->key() << "=" << (*it)->value() << "\n";
    // What is written meanwhile is not seen: a walk is of one moment.
    absl::Status status = db->Put(prefix + "zucchini", "0");
    if (status.ok()) status = db->Delete(prefix + "zucchini");
    if (!status.ok()) return status;
  }
  // A damaged record is left out of the walk, and told here; so is what ended it too early.
  return (*it)->status();
}

absl::Status Run(const std::string& path) {
  rumcask::Options options;
  options.create_if_missing = true;
  options.keystore = rumcask::BtreeKeystore();
  auto opened = rumcask::DB::Open(path, options);
  if (!opened.ok()) return opened.status();
  rumcask::DB* const db = opened->get();

  // All of it or nothing.
  rumcask::WriteBatch batch;
  batch.Put("fruit/pear", "3");
  batch.Put("fruit/apple", "5");
  batch.Put("nut/almond", "9");
  absl::Status status = db->Write(batch);
  if (!status.ok()) return status;

  auto snapshot = db->TakeSnapshot();
  if (!snapshot.ok()) return snapshot.status();
  status = db->Put("fruit/apple", "4");
  if (status.ok()) status = db->Delete("fruit/pear");
  if (!status.ok()) return status;

  std::cout << "before\n";
  status = Print(db, "fruit/", *snapshot);
  if (!status.ok()) return status;
  // Until it is released, a snapshot keeps replaced values on disk. It may be given up if they are
  // too many; reads at it return ResourceExhausted then.
  snapshot->reset();
  std::cout << "now\n";
  status = Print(db, "fruit/", nullptr);
  return status.ok() ? db->Close() : status;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: walk DATABASE\n";
    return 64;
  }
  const absl::Status status = Run(argv[1]);
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() ? 0 : 1;
}
