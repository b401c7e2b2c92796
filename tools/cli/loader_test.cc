#include "tools/cli/loader.h"

#include <unistd.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "core/db.h"
#include "core/options.h"
#include "core/system/memory_file_system.h"
#include "keystores/hash/open.h"
#include "tools/cli/line_reader.h"
#include "tools/cli/reading.h"
#include "tools/cli/records.h"
#include "tools/cli/rejects.h"

namespace rumcask::cli {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

// Each line is a key, except for "bad", which is none, and "long", which stands for one of a
// gigabyte, whose text is not known.
class FakeReader : public RecordReader {
 public:
  explicit FakeReader(LineReader* lines) : lines_(lines) {}

  absl::Status Begin() override { return absl::OkStatus(); }
  absl::StatusOr<bool> Next(std::string* key, std::string* /*value*/) override {
    if (!lines_->StartLine()) return false;
    absl::Status status = lines_->ReadRest(1000, &line_);
    if (!status.ok()) return status;
    if (line_ == "bad" || line_ == "long") return absl::InvalidArgumentError("it is " + line_);
    *key = line_;
    return true;
  }
  Remedy remedy() const override { return Remedy::kMendOrLeaveOut; }
  const std::string* text() const override { return line_ == "long" ? nullptr : &line_; }
  uint64_t lines_per_record() const override { return 1; }
  std::string Note() const override { return ""; }

 private:
  LineReader* const lines_;
  std::string line_;
};

// What is written to standard error while lines are loaded, those that cannot be are left out, and
// `path` gets them.
std::string NotesOf(const std::string& content, const std::optional<std::string>& path) {
  const TemporaryFile notes;
  const int kept = ::dup(STDERR_FILENO);
  ::dup2(notes.fd(), STDERR_FILENO);
  {
    const TemporaryFile file(content);
    LineReader lines(file.fd());
    FakeReader reader(&lines);
    Rejects rejects(path);
    LoaderOptions loading;
    loading.file = "file";
    loading.unit = "line";
    loading.rejects = &rejects;
    Loader loader(loading, &lines, &reader);
    EXPECT_TRUE(loader.Begin().ok());
    const std::unique_ptr<FileSystem> files = NewMemoryFileSystem();
    Options options;
    options.file_system = files.get();
    options.create_if_missing = true;
    const absl::StatusOr<std::unique_ptr<DB>> db = Open("/db", options);
    EXPECT_TRUE(db.ok()) << db.status();
    EXPECT_TRUE(loader.LoadInto(db->get()).ok());
  }
  ::dup2(kept, STDERR_FILENO);
  ::close(kept);
  return notes.Content();
}

TEST(Loader, TellsWhatIsNotCopied) {
  const std::string path = testing::TempDir() + "/rejects";
  const std::string first = "note: file:2: it is long; what cannot be loaded is left out";
  EXPECT_THAT(NotesOf("a\nlong\n", path), EndsWith(first + "; this line is not copied\n"));
  EXPECT_THAT(NotesOf("a\nlong\n", std::nullopt), EndsWith(first + "\n"));
  EXPECT_THAT(NotesOf("a\nbad\nlong\nbad\nlong\n", path),
              HasSubstr("note: file:3: it is long; it is left out, and not copied\n"));
  EXPECT_THAT(NotesOf("a\nbad\nlong\n", std::nullopt), Not(HasSubstr("copied")));
  EXPECT_EQ(::unlink(path.c_str()), 0);
}

}  // namespace
}  // namespace rumcask::cli
