#include "tests/kill/writers_fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

#include "core/check/verify.h"
#include "core/damage.h"
#include "keystores/by_name.h"
#include "tests/kill/child.h"
#include "tests/oracle/operations.h"

namespace rumcask {
namespace {

using Clock = std::chrono::steady_clock;

// A pipe for each writer and the last number that came through it.
class Acknowledgements {
 public:
  explicit Acknowledgements(const std::array<uint64_t, kWriters>& done) : last_(done) {
    for (int i = 0; i < kWriters; ++i) readers_.push_back({NewPipe(), POLLIN, 0});
    opening_ = NewPipe();
  }
  ~Acknowledgements() {
    CloseWriters();
    for (const pollfd& reader : readers_) ::close(reader.fd);
    ::close(opening_);
  }
  Acknowledgements(const Acknowledgements&) = delete;
  Acknowledgements& operator=(const Acknowledgements&) = delete;

  const std::vector<int>& writers() const { return writers_; }
  // Closes our write ends, so that the pipes end when the child does.
  void CloseWriters() {
    for (int writer : writers_) ::close(writer);
    writers_.clear();
  }

  // Waits until the child is about to open the database, or has ended.
  void AwaitOpening() const {
    char none;
    while (::read(opening_, &none, 1) < 0 && errno == EINTR) {
    }
  }

  // Reads acknowledgements until `until`. Returns false once all pipes have ended.
  bool ReadUntil(Clock::time_point until) {
    while (open_ > 0) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
      if (left.count() <= 0) return true;
      if (::poll(readers_.data(), readers_.size(), static_cast<int>(left.count())) <= 0) continue;
      for (int i = 0; i < kWriters; ++i) {
        if (readers_[static_cast<size_t>(i)].revents != 0) Read(static_cast<size_t>(i));
      }
    }
    return false;
  }

  // The number of the last operation acknowledged.
  uint64_t last(int writer) const { return last_[static_cast<size_t>(writer)]; }

 private:
  // Makes a pipe and returns its read end.
  int NewPipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    writers_.push_back(ends[1]);
    return ends[0];
  }

  void Read(size_t i) {
    // An 8-byte write to a pipe is atomic, and the buffer holds a whole number of them.
    uint64_t numbers[512];
    const ssize_t got = ::read(readers_[i].fd, numbers, sizeof(numbers));
    if (got <= 0) {
      ::close(readers_[i].fd);
      readers_[i].fd = -1;  // poll ignores negative descriptors
      --open_;
      return;
    }
    for (size_t k = 0; k < static_cast<size_t>(got) / sizeof(uint64_t); ++k) {
      EXPECT_EQ(numbers[k], last_[i] + 1) << "writer " << i;
      last_[i] = numbers[k];
    }
  }

  std::vector<pollfd> readers_;
  std::vector<int> writers_;
  std::array<uint64_t, kWriters> last_;
  int opening_ = -1;
  int open_ = kWriters;
};

}  // namespace

std::chrono::microseconds WritersFixture::LengthOf(uint64_t bits) {
  const bool early = bits % 4 == 0;
  return std::chrono::microseconds(early ? bits / 4 % 20'000 : 20'000 + bits / 4 % 150'000);
}

std::string WritersFixture::Log() const {
  std::ifstream log(scratch_.Path("log"));
  return {std::istreambuf_iterator<char>(log), std::istreambuf_iterator<char>()};
}

std::vector<NumberedWrites> WritersFixture::FromTheBeginning() const {
  std::vector<NumberedWrites> all;
  for (int writer = 0; writer < kWriters; ++writer) {
    all.emplace_back([this, writer](uint64_t n) { return nth_(writer, n).changes; });
  }
  return all;
}

void WritersFixture::BeginAnew() {
  std::filesystem::remove_all(db_);
  done_.fill(0);
  writes_ = FromTheBeginning();
  position_ = 0;
  keystore_.clear();
  unopened_ = 0;
}

bool WritersFixture::Round(const Life& life) {
  figures_ = {};
  const std::string figures = scratch_.Path("figures");
  std::ofstream(figures, std::ios::trunc);
  Acknowledgements acknowledgements(done_);
  std::vector<std::string> arguments = {
      "tests/kill/writers",
      db_,
      life.keystore,
      life.append_mode == AppendMode::kMapped ? "mapped" : "write",
      life.work,
      figures};
  for (uint64_t done : done_) arguments.push_back(absl::StrCat(done + 1));
  Child child(arguments, scratch_.Path("log"), acknowledgements.writers());
  acknowledgements.CloseWriters();
  acknowledgements.AwaitOpening();
  acknowledgements.ReadUntil(Clock::now() + life.length);
  child.Kill();
  while (acknowledgements.ReadUntil(Clock::now() + std::chrono::seconds(1))) {
  }
  const int status = child.Wait();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
      << "the writers ended by themselves: " << Log();
  std::ifstream(figures, std::ios::binary)
      .read(reinterpret_cast<char*>(&figures_), sizeof(figures_));
  bool all = true;
  for (int i = 0; i < kWriters; ++i) {
    const size_t at = static_cast<size_t>(i);
    acknowledged_[at] = acknowledgements.last(i);
    operations_ += acknowledged_[at] - done_[at];
    all = all && acknowledged_[at] > done_[at];
  }
  return all;
}

void WritersFixture::NoteOpening(bool lands, bool read_only) {
  // The killed program, or the opening in Check, may have rebuilt the index.
  if (unopened_ + (lands ? 0 : 1) >= 2) position_ = 0;
  // A successful opening for writing, here in Check, ends the sequence.
  unopened_ = lands || !read_only ? 0 : unopened_ + 1;
}

void WritersFixture::Check(bool read_only, ReadMode read_mode, bool thorough,
                           const std::string& otherwise) {
  const absl::StatusOr<VerifyReport> report = VerifyFiles(db_);
  if (absl::IsNotFound(report.status())) {
    // The program was killed before there was a database.
    ASSERT_EQ(acknowledged_, (std::array<uint64_t, kWriters>{}));
    return;
  }
  ASSERT_TRUE(report.ok()) << report.status();
  for (const Damage& damage : report->damages) ADD_FAILURE() << DamageStatus(damage);
  absl::StatusOr<std::string> keystore = DB::StoredKeystore(db_);
  ASSERT_TRUE(keystore.ok()) << keystore.status();
  if (keystore->empty()) *keystore = otherwise;
  if (*keystore != keystore_) {
    if (!keystore_.empty()) ++changed_;
    keystore_ = *keystore;
    position_ = 0;
  }
  // With large buffers, so that the checks do not change the index.
  Options options;
  options.read_mode = read_mode;
  options.keystore = KeystoreByName(*keystore).value();
  const KeystoreTraits traits = options.keystore->traits;
  auto db = read_only ? DB::OpenReadOnly(db_, options) : DB::Open(db_, options);
  if (read_only && traits.persistent && position_ == 0 && absl::IsFailedPrecondition(db.status())) {
    // The program was killed before there was an index. A read-only opening does not create one.
    db = DB::Open(db_, options);
  }
  ASSERT_TRUE(db.ok()) << db.status();
  const Stats stats = (*db)->GetStats();
  if (traits.persistent) CheckIndex(stats);
  size_t keys = 0;
  for (int i = 0; i < kWriters; ++i) {
    CheckWriter(db->get(), i);
    keys += writes_[static_cast<size_t>(i)].state().size();
  }
  if (stats.keys_exact) {
    EXPECT_EQ((*db)->KeyCount(), keys);
  }
  EXPECT_EQ(report->keys, keys);
  if (thorough) CheckAllKeys(db->get(), traits.ordered, keys);
  const absl::Status status = (*db)->Close();
  EXPECT_TRUE(status.ok()) << status;
}

void WritersFixture::CheckIndex(const Stats& stats) {
  // A kill while the first index was created may leave it incomplete.
  if (position_ > 0) {
    EXPECT_EQ(stats.index_rebuilt, "");
  }
  EXPECT_GE(stats.index_version, position_) << "the index has lost what it had, of a log up to "
                                            << stats.recovery.last_version << ". " << Log();
  if (stats.index_version < stats.recovery.last_version) {
    ++behind_;
    if (stats.index_version > position_) ++advanced_;
  }
  position_ = stats.index_version;
}

void WritersFixture::CheckAllKeys(DB* db, bool ordered, size_t keys) {
  ++thorough_;
  const absl::StatusOr<VerifyReport> report = db->Verify();
  ASSERT_TRUE(report.ok()) << report.status();
  for (const Damage& damage : report->damages) ADD_FAILURE() << DamageStatus(damage);
  EXPECT_EQ(report->keys, keys);
  State walked;
  const absl::Status read = ReadAll(db, &walked, ordered);
  ASSERT_TRUE(read.ok()) << read;
  State expected;
  for (const NumberedWrites& writes : writes_) {
    expected.insert(writes.state().begin(), writes.state().end());
  }
  EXPECT_TRUE(walked == expected) << walked.size() << " keys, not " << expected.size();
}

void WritersFixture::CheckWriter(DB* db, int writer) {
  State found;
  std::string value;
  for (uint64_t i = 0; i < kKeysPerWriter; ++i) {
    const absl::Status status = db->Get(WriterKey(writer, i), &value);
    if (absl::IsNotFound(status)) continue;
    ASSERT_TRUE(status.ok()) << status;
    found[WriterKey(writer, i)] = value;
  }
  // If the operation under way left no trace, or would change nothing, the next run repeats it.
  NumberedWrites& writes = writes_[static_cast<size_t>(writer)];
  const uint64_t acknowledged = acknowledged_[static_cast<size_t>(writer)];
  const std::string wrong = writes.GoOnTo(found, acknowledged, acknowledged + 1);
  EXPECT_EQ(wrong, "") << "writer " << writer << " has acknowledged operation " << acknowledged;
  unacknowledged_ += writes.count() - acknowledged;
  done_[static_cast<size_t>(writer)] = writes.count();
}

}  // namespace rumcask
