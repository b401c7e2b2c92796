#include "tools/bench/loaded_library.h"

#include <link.h>

#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace rumcask::bench {
namespace {

struct Search {
  std::string_view name;
  std::string path;
};

int Visit(struct dl_phdr_info* info, size_t /*size*/, void* data) {
  auto* search = static_cast<Search*>(data);
  const std::string_view path = info->dlpi_name;
  const size_t slash = path.rfind('/');
  const std::string_view file = slash == std::string_view::npos ? path : path.substr(slash + 1);
  if (file.substr(0, search->name.size()) != search->name) return 0;
  search->path = std::string(path);
  return 1;
}

}  // namespace

std::string AssertionsOf(std::string_view name) {
  Search search = {name, ""};
  ::dl_iterate_phdr(Visit, &search);
  if (search.path.empty()) return "unknown";
  std::ifstream file(search.path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (bytes.empty()) return "unknown";
  return bytes.find("__assert_fail") == std::string::npos ? "off" : "on";
}

}  // namespace rumcask::bench
