// Writes inputs to start fuzzing from, taken from databases that it makes:
//
//   bazel run //tests/fuzz:make_corpus -- $PWD/tests/fuzz
//
// fills corpus_database, corpus_segment, corpus_key_table and corpus_manifest there.

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "core/check/repair.h"
#include "core/db.h"
#include "core/format/format.h"
#include "core/segment/segment_scanner.h"
#include "core/testing/map_keystore.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/fuzz/directory_input.h"

namespace rumcask {
namespace {

constexpr char kPath[] = "/crash/db";

void Must(const absl::Status& status) {
  if (status.ok()) return;
  std::cerr << status << "\n";
  std::exit(1);
}

class Corpus {
 public:
  explicit Corpus(std::filesystem::path root) : root_(std::move(root)) {}

  // Adds the directory of one database with all choices, and its files.
  void AddDatabase(const std::string& name, const CrashFileSystem& fs,
                   const std::string& path = kPath) {
    DirectoryInput input;
    input.files = fs.Contents(path);
    for (int choice = 0; choice < 3; ++choice) {
      input.fix_checksums = choice > 0;
      input.fix_links = choice > 1;
      input.read_mode = choice % 2 == 0 ? ReadMode::kMapped : ReadMode::kPread;
      input.append_mode = choice < 2 ? AppendMode::kMapped : AppendMode::kWrite;
      Write("corpus_database", name + std::to_string(choice), EncodeDirectoryInput(input));
    }
    for (const auto& [file, bytes] : input.files) {
      if (file == kManifestName) AddManifest(name, bytes);
      if (ParseSegmentName(file).has_value()) AddSegment(name + file.substr(14, 2), bytes);
    }
  }

 private:
  void AddManifest(const std::string& name, const std::string& bytes) {
    Write("corpus_manifest", name + "_raw", std::string(1, '\0') + bytes);
    Write("corpus_manifest", name + "_mended", "\1" + bytes);
    Write("corpus_manifest", name + "_body", "\2" + bytes.substr(24, LoadU32(bytes.data() + 12)));
  }

  void AddSegment(const std::string& name, const std::string& bytes) {
    Write("corpus_segment", name, "\1" + bytes.substr(0, bytes.find_last_not_of('\0') + 9));
    if (bytes.size() < kTrailerBytes + kSegmentHeaderBytes) return;
    const char* const trailer = bytes.data() + bytes.size() - kTrailerBytes;
    if (std::string_view(trailer, 8) != "rumcaskT") return;
    const uint64_t offset = LoadU64(trailer + 8);
    std::string table(trailer + 8, 8);
    table.append(trailer + 32, 4);
    table.append(4, '\0');
    Write("corpus_key_table", name, table + bytes.substr(offset, LoadU64(trailer + 16)));
  }

  void Write(const std::string& folder, const std::string& name, const std::string& bytes) {
    std::filesystem::create_directories(root_ / folder);
    std::ofstream(root_ / folder / name, std::ios::binary) << bytes;
  }

  const std::filesystem::path root_;
};

Options SmallOptions(CrashFileSystem* fs) {
  Options options;
  options.keystore = TestKeystore();
  options.create_if_missing = true;
  options.segment_bytes = 4096;
  options.background_threads = 0;
  options.file_system = fs;
  return options;
}

std::unique_ptr<DB> OpenSmall(CrashFileSystem* fs) {
  absl::StatusOr<std::unique_ptr<DB>> db = DB::Open(kPath, SmallOptions(fs));
  Must(db.status());
  return *std::move(db);
}

void Fill(DB* db, int puts, size_t value_bytes) {
  for (int i = 0; i < puts; ++i) {
    Must(db->Put("k" + std::to_string(i % 7), std::string(value_bytes, 'v'), {i % 5 == 4}));
    if (i % 4 == 3) Must(db->Delete("k" + std::to_string(i % 3)));
  }
}

void MakeAll(Corpus* corpus) {
  {
    CrashFileSystem fs;
    Must(OpenSmall(&fs)->Close());
    corpus->AddDatabase("empty", fs);
  }
  {
    CrashFileSystem fs;
    auto db = OpenSmall(&fs);
    Must(db->Put("a", "1"));
    Must(db->Close());
    corpus->AddDatabase("one", fs);
    db = OpenSmall(&fs);
    Must(db->Put("a", "2"));
    corpus->AddDatabase("continued", fs);
    // The remains that the death of the process leaves.
    CrashFileSystem torn(fs.Cut(KeepPolicy::KeepEverything()));
    Must(OpenSmall(&torn)->Put("b", "3"));
    corpus->AddDatabase("recovered", torn);
  }
  {
    CrashFileSystem fs;
    auto db = OpenSmall(&fs);
    Fill(db.get(), 40, 300);
    corpus->AddDatabase("open", fs);
    for (uint64_t seed = 0; seed < 4; ++seed) {
      corpus->AddDatabase("cut" + std::to_string(seed),
                          CrashFileSystem(fs.Cut(KeepPolicy::Random(seed))));
    }
    Must(db->Close());
    corpus->AddDatabase("closed", fs);
    fs.FlipBit(std::string(kPath) + "/" + SegmentName(2), 600, 3);
    Must(Repair(kPath, "/crash/new", &fs).status());
    corpus->AddDatabase("damaged", fs);
    corpus->AddDatabase("repaired", fs, "/crash/new");
  }
  {
    CrashFileSystem fs;
    auto db = OpenSmall(&fs);
    WriteBatch batch;
    for (int i = 0; i < 6; ++i) batch.Put("batch" + std::to_string(i), std::string(i * 3, 'b'));
    batch.Delete("batch2");
    Must(db->Write(batch, {true}));
    Must(db->Put(std::string(200, 'k'), std::string(9000, 'l')));
    Fill(db.get(), 6, 10);
    Must(db->Close());
    corpus->AddDatabase("batch", fs);
  }
}

}  // namespace
}  // namespace rumcask

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: make_corpus FOLDER\n";
    return 64;
  }
  rumcask::Corpus corpus(argv[1]);
  rumcask::MakeAll(&corpus);
  return 0;
}
