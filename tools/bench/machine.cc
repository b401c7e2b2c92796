#include "tools/bench/machine.h"

#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

#include "tools/bench/clock.h"
#include "tools/bench/process_counters.h"
#include "tools/cli/figures.h"

namespace rumcask::bench {
namespace {

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::string Processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "unknown processor";
}

// "always [madvise] never" -> "madvise"
std::string Chosen(const std::string& text) {
  const size_t open = text.find('[');
  const size_t close = text.find(']');
  if (open == std::string::npos || close == std::string::npos) return "unknown";
  return text.substr(open + 1, close - open - 1);
}

std::string Kernel() {
  struct utsname names;
  if (::uname(&names) != 0) return "unknown";
  return absl::StrCat(names.sysname, " ", names.release, " ", names.machine);
}

std::string Countable() {
  const ProcessCounts counts = ProcessCounters().Read();
  return absl::StrCat("bytes written ", counts.device_bytes ? "yes" : "not countable here",
                      ", system calls ", counts.system_calls ? "yes" : "not countable here",
                      ", instructions ", counts.instructions ? "yes" : "not countable here");
}

}  // namespace

std::string FileSystemOf(const std::string& path, const std::string& mounts) {
  std::istringstream lines(mounts);
  std::string best_place;
  std::string best = "unknown";
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string device;
    std::string place;
    std::string type;
    words >> device >> place >> type;
    const std::string prefix = place == "/" ? place : place + "/";
    // If two are mounted at the same place, the later one covers the earlier.
    if ((path + "/").rfind(prefix, 0) == 0 && place.size() >= best_place.size()) {
      best_place = place;
      best = absl::StrCat(type, " on ", device);
    }
  }
  return best;
}

std::string FileSystemOf(const std::string& path) {
  char* const real = ::realpath(path.c_str(), nullptr);
  const std::string absolute = real != nullptr ? real : path;
  std::free(real);
  return FileSystemOf(absolute, Contents("/proc/self/mounts"));
}

uint64_t MemoryBytes() {
  return static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
         static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::string Now() {
  const time_t now = ::time(nullptr);
  struct tm parts;
  ::gmtime_r(&now, &parts);
  return absl::StrFormat("%04d-%02d-%02d %02d:%02d:%02d UTC", parts.tm_year + 1900,
                         parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
                         parts.tm_sec);
}

Facts MachineFacts(const std::string& path) {
  return {
      {"processor",
       absl::StrCat(
           Processor(), ", ",
           cli::FormatCount(static_cast<uint64_t>(::sysconf(_SC_NPROCESSORS_ONLN)), "core"))},
      {"memory", absl::StrCat(cli::FormatBytes(MemoryBytes()), ", huge pages ",
                              Chosen(Contents("/sys/kernel/mm/transparent_hugepage/enabled")))},
      {"kernel", Kernel()},
      {"file system", FileSystemOf(path)},
#ifdef __clang__
      {"compiler", absl::StrCat("clang ", __clang_version__)},
#else
      {"compiler", absl::StrCat("gcc ", __VERSION__)},
#endif
#ifdef NDEBUG
      {"this program", "assertions off"},
#else
      {"this program", "assertions ON: figures mean little"},
#endif
      {"clock", absl::StrFormat("one reading costs %.0f ns", ClockCost(SystemClock()))},
      {"counting", Countable()},
  };
}

}  // namespace rumcask::bench
