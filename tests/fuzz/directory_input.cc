#include "tests/fuzz/directory_input.h"

#include <algorithm>
#include <cstddef>

#include "core/format/format.h"
#include "tests/fuzz/checksum_fixer.h"

namespace rumcask {
namespace {

// The instructions of the program; other bytes do nothing.
constexpr uint8_t kBeginFile = 1;  // name
constexpr uint8_t kBytes = 2;      // u16 length, bytes
constexpr uint8_t kZeros = 3;      // u16 count of 8 zeros each

// A bit of the second byte.
constexpr uint8_t kMapsReads = 1;
constexpr uint8_t kMapsAppends = 2;

// Names by number: MANIFEST, segments with small ids, and some special ones.
constexpr uint8_t kManifestNumber = 0;
constexpr uint8_t kLastSegmentNumber = 199;

std::string FileName(uint8_t number) {
  if (number == kManifestNumber) return std::string(kManifestName);
  if (number <= kLastSegmentNumber) return SegmentName(number);
  switch (number) {
    case 200:
      return std::string(kManifestNextName);
    case 201:
      return SegmentName(UINT64_MAX - 1);
    case 202:
      return SegmentName(UINT64_MAX);
    case 203:
      return SegmentName(uint64_t{1} << 40);
    case 204:
      return SegmentName(0);
    case 205:
      return "notes.txt";
    default:
      return std::string(kLockName);
  }
}

int FileNumber(const std::string& name) {
  for (int number = 0; number < 256; ++number) {
    if (FileName(static_cast<uint8_t>(number)) == name) return number;
  }
  return -1;
}

class Program {
 public:
  explicit Program(std::string_view bytes) : rest_(bytes) {}

  void Run(std::map<std::string, std::string>* files) {
    std::string* file = nullptr;
    while (!rest_.empty()) {
      const uint8_t instruction = Byte();
      if (instruction == kBeginFile) {
        file = &(*files)[FileName(Byte())];
      } else if (instruction == kBytes) {
        const std::string_view bytes = rest_.substr(0, Short());
        if (file != nullptr && Takes(bytes.size())) file->append(bytes);
        rest_.remove_prefix(bytes.size());
      } else if (instruction == kZeros) {
        const uint64_t count = uint64_t{8} * Short();
        if (file != nullptr && Takes(count)) file->append(count, '\0');
      }
    }
  }

 private:
  uint8_t Byte() {
    if (rest_.empty()) return 0;
    const uint8_t byte = static_cast<uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    return byte;
  }
  uint16_t Short() {
    const uint16_t low = Byte();
    return static_cast<uint16_t>(low | Byte() << 8);
  }
  bool Takes(uint64_t size) {
    taken_ += size;
    return taken_ <= kMaxFileBytes;
  }

  std::string_view rest_;
  uint64_t taken_ = 0;
};

void FixChecksums(bool fix_links, std::map<std::string, std::string>* files) {
  Uuid uuid = {};
  auto manifest = files->find(std::string(kManifestName));
  if (manifest != files->end()) {
    uuid = ManifestUuid(manifest->second);
    FixManifest(&manifest->second);
  }
  // Names sort in the order of the ids.
  SegmentLink link;
  for (auto& [name, bytes] : *files) {
    const std::optional<uint64_t> id = ParseSegmentName(name);
    if (id.has_value()) link = FixSegment(uuid, *id, fix_links ? &link : nullptr, &bytes);
  }
}

void AppendShort(std::string* to, size_t value) {
  to->push_back(static_cast<char>(value & 255));
  to->push_back(static_cast<char>(value >> 8));
}

void AppendFile(std::string_view bytes, std::string* program) {
  while (!bytes.empty()) {
    const size_t zeros = std::min(bytes.find_first_not_of('\0'), bytes.size());
    if (zeros >= 8) {
      const size_t count = std::min(zeros / 8, size_t{65535});
      program->push_back(kZeros);
      AppendShort(program, count);
      bytes.remove_prefix(8 * count);
      continue;
    }
    // Up to the next sixteen zeros.
    size_t size = std::min(bytes.find(std::string(16, '\0')), bytes.size());
    size = std::clamp(size, size_t{1}, size_t{65535});
    program->push_back(kBytes);
    AppendShort(program, size);
    program->append(bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
}

}  // namespace

DirectoryInput DecodeDirectoryInput(std::string_view bytes) {
  DirectoryInput input;
  if (bytes.size() < 2) return input;
  input.fix_checksums = bytes[0] % 3 != 0;
  input.fix_links = bytes[0] % 3 == 2;
  input.read_mode = (bytes[1] & kMapsReads) != 0 ? ReadMode::kMapped : ReadMode::kPread;
  input.append_mode = (bytes[1] & kMapsAppends) != 0 ? AppendMode::kMapped : AppendMode::kWrite;
  Program(bytes.substr(2)).Run(&input.files);
  if (input.fix_checksums) FixChecksums(input.fix_links, &input.files);
  return input;
}

std::string EncodeDirectoryInput(const DirectoryInput& input) {
  std::string bytes;
  bytes.push_back(static_cast<char>(input.fix_links ? 2 : input.fix_checksums ? 1 : 0));
  bytes.push_back(static_cast<char>((input.read_mode == ReadMode::kMapped ? kMapsReads : 0) |
                                    (input.append_mode == AppendMode::kMapped ? kMapsAppends : 0)));
  for (const auto& [name, contents] : input.files) {
    const int number = FileNumber(name);
    if (number < 0) continue;
    bytes.push_back(kBeginFile);
    bytes.push_back(static_cast<char>(number));
    AppendFile(contents, &bytes);
  }
  return bytes;
}

}  // namespace rumcask
