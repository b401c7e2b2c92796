// rumcask advise

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

#include "core/db.h"
#include "tools/advise/advise_options.h"
#include "tools/advise/database_profile.h"
#include "tools/advise/evidence.h"
#include "tools/advise/profile.h"
#include "tools/advise/recommendation.h"
#include "tools/advise/report.h"
#include "tools/bench/machine.h"
#include "tools/cli/command.h"
#include "tools/cli/commands.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/open_database.h"
#include "tools/cli/output.h"

namespace rumcask::cli {
namespace {

struct AdviseFlags {
  advise::AdviseOptions options;
  Flags from;  // the database; empty if there is none
  std::string directory;
  double seconds = 5;
  bool json = false;
};

// `*complete` is DataLoss if damage hides keys of the database.
absl::StatusOr<advise::Profile> BaseOf(const Flags& from, absl::Status* complete) {
  advise::Profile base;
  if (!from.db.empty()) {
    // The log is read, so that the index on disk, and its library's threads, are left alone.
    const absl::StatusOr<ReadOnlyDatabase> opened = OpenForReading(from, ReadFrom::kLog);
    if (!opened.ok()) return opened.status();
    const absl::StatusOr<advise::Profile> read = advise::ProfileOfDatabase(opened->db.get());
    if (!read.ok()) return Prefixed(from.db + ": ", read.status());
    base = *read;
    *complete = opened->complete;
  }
  base.memory_bytes = bench::MemoryBytes();
  return base;
}

volatile sig_atomic_t ended_by = 0;

// While an object exists, the first SIGTERM or SIGHUP only sets a flag, as an Interrupt does with
// SIGINT. One that was ignored before stays ignored.
class Termination {
 public:
  Termination() {
    struct sigaction action = {};
    action.sa_handler = [](int signal) { ended_by = signal; };
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    for (size_t i = 0; i < kSignals.size(); ++i) {
      ::sigaction(kSignals[i], nullptr, &before_[i]);
      if (before_[i].sa_handler != SIG_IGN) ::sigaction(kSignals[i], &action, nullptr);
    }
  }
  ~Termination() {
    for (size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &before_[i], nullptr);
  }
  Termination(const Termination&) = delete;
  Termination& operator=(const Termination&) = delete;

  // The signal that has come, or 0.
  static int Raised() { return ended_by; }

 private:
  static constexpr std::array<int, 2> kSignals = {SIGTERM, SIGHUP};
  std::array<struct sigaction, kSignals.size()> before_ = {};
};

std::string ParentOf(const AdviseFlags& flags) {
  if (!flags.directory.empty()) return flags.directory;
  const char* const temporary = std::getenv("TMPDIR");
  return temporary == nullptr || *temporary == '\0' ? "/tmp" : temporary;
}

// A new directory for what is tried.
absl::StatusOr<std::string> MakeDirectory(const std::string& parent) {
  std::string path = absl::StrCat(parent, "/rumcask_advise.XXXXXX");
  if (::mkdtemp(path.data()) != nullptr) return path;
  return absl::InternalError(
      absl::StrCat("cannot make a directory in ", parent, ": ", std::strerror(errno)));
}

// Says on the terminal which keystore is tried, as that takes seconds each. Erased at the end.
class Announcement {
 public:
  Announcement() = default;
  ~Announcement() {
    if (shown_) std::fputs("\r\x1b[K", stderr);
  }
  Announcement(const Announcement&) = delete;
  Announcement& operator=(const Announcement&) = delete;

  void Show(const std::string& keystore) {
    if (::isatty(STDERR_FILENO) != 1) return;
    std::fprintf(stderr, "\radvise: trying %s\x1b[K", keystore.c_str());
    std::fflush(stderr);
    shown_ = true;
  }

 private:
  bool shown_ = false;
};

absl::StatusOr<advise::Advice> Try(const advise::Profile& profile, const AdviseFlags& flags) {
  // The directory is removed whatever ends the trials.
  const Interrupt interrupt;
  const Termination termination;
  const absl::StatusOr<std::string> directory = MakeDirectory(ParentOf(flags));
  if (!directory.ok()) return directory.status();
  const auto remove = absl::MakeCleanup([&] {
    std::error_code ignored;
    std::filesystem::remove_all(*directory, ignored);
  });
  advise::GatherSettings settings;
  settings.seconds = flags.seconds;
  settings.directory = *directory;
  settings.stop = [] { return Interrupt::Raised() || Termination::Raised() != 0; };
  Announcement announcement;
  settings.announce = [&](const std::string& keystore) { announcement.Show(keystore); };
  absl::StatusOr<advise::Evidence> evidence = advise::Gather(profile, settings);
  if (!evidence.ok()) return evidence.status();

  advise::Advice advice;
  advice.profile = profile;
  advice.evidence = *std::move(evidence);
  advice.recommendation = advise::Recommend(profile, advice.evidence);
  advice.device = bench::FileSystemOf(*directory);
  advice.trial_keys = profile.keys >> advise::TrialHalvings(profile, flags.seconds);
  return advice;
}

absl::Status Advise(const AdviseFlags& flags) {
  // Less measures nothing.
  constexpr double kLeastSeconds = 0.01;
  if (flags.seconds < kLeastSeconds) {
    return UsageError(absl::StrCat("--seconds: must be at least ", kLeastSeconds));
  }
  absl::Status complete;
  const absl::StatusOr<advise::Profile> base = BaseOf(flags.from, &complete);
  if (!base.ok()) return base.status();
  const absl::StatusOr<advise::Profile> profile = advise::ProfileOf(flags.options, *base);
  if (!profile.ok()) return UsageError(std::string(profile.status().message()));
  const absl::StatusOr<advise::Advice> advice = Try(*profile, flags);
  // Ends the process as the signal would have ended it.
  if (Termination::Raised() != 0) ::raise(Termination::Raised());
  if (!advice.ok()) return advice.status();
  const absl::Status printed =
      Print(flags.json ? advise::AsJson(*advice) : advise::AsTable(*advice));
  return printed.ok() ? complete : printed;
}

}  // namespace

int RunAdvise(const std::vector<std::string>& arguments) {
  CommandLine line(
      "Recommends a keystore. Tries each with a small database like the one that is described, in "
      "a directory that is removed afterwards, and tells what it would take at full size, which "
      "one to choose, why, and what would change that. For example: rumcask advise --keys 50000000 "
      "--gets 9 --overwrites 1 --memory 2GiB");
  AdviseFlags flags;
  advise::DeclareFlags(&line, &flags.options);
  line.Option("--from-db", "DB", &flags.from.db,
              "Take the number of keys, and the lengths of keys and values, from this database, "
              "which is only read");
  line.Option("--wait", "SECONDS", &flags.from.wait_seconds,
              "How long to keep trying while another process has that database open");
  line.Option(
      "--seconds", "S", &flags.seconds,
      "How long to work on each keystore, about; default 5. Filling it, waits for the device "
      "and openings come on top");
  line.Option("--directory", "DIR", &flags.directory,
              "Where to try them, so that the device is the one that will be used; default: TMPDIR "
              "or /tmp");
  line.Flag("--json", &flags.json, "Print JSON");
  return Run("advise", &line, arguments, [&] { return Advise(flags); });
}

}  // namespace rumcask::cli
