// linked_libraries_test PROGRAM [LIBRARY...]: of the libraries that keystores bring, PROGRAM is
// linked with those that are named and no other.

#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

namespace {

// What readelf tells of the shared libraries that it needs.
std::string DynamicSection(const std::string& program) {
  std::FILE* readelf = popen(("readelf --dynamic --wide " + program).c_str(), "r");
  if (readelf == nullptr) return "";
  std::string said;
  for (int c; (c = std::fgetc(readelf)) != EOF;) said += static_cast<char>(c);
  return pclose(readelf) == 0 ? said : "";
}

bool Names(const std::string& dynamic_section, const std::string& library) {
  return dynamic_section.find("[lib" + library + ".so") != std::string::npos;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 64;
  const std::string dynamic_section = DynamicSection(argv[1]);
  std::cout << argv[1] << dynamic_section;
  // Every program needs this one; without it readelf has told nothing.
  if (!Names(dynamic_section, "c")) return 1;
  std::vector<std::string> found;
  for (const char* library : {"lmdb", "rocksdb"}) {
    if (Names(dynamic_section, library)) found.push_back(library);
  }
  return found == std::vector<std::string>(argv + 2, argv + argc) ? 0 : 1;
}
