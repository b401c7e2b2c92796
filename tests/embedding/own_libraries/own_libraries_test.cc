// own_libraries_test DEPENDENCIES: a program whose project had an Abseil and an xxHash of its own
// before it had rumcask. rumcask works with those, and is built with no others beside them.
// DEPENDENCIES is a file of the labels of all that it is built from.

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

#include "rumcask/open.h"

namespace {

bool OnlyOwn(const std::string& dependencies) {
  std::ifstream file(dependencies);
  int own = 0;
  for (std::string label; std::getline(file, label);) {
    if (label == "@com_google_absl//:own" || label == "@xxhash//:own") ++own;
    if (label.rfind("@abseil-cpp//", 0) == 0) {
      std::cerr << label << "\n";
      return false;
    }
  }
  return own == 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 64;
  if (!OnlyOwn(argv[1])) return 1;
  rumcask::Options options;
  options.create_if_missing = true;
  auto db = rumcask::Open(std::string(std::getenv("TEST_TMPDIR")) + "/hello.db", options);
  if (!db.ok()) return 2;
  std::string value;
  if (!(*db)->Put("greeting", "hello, world").ok()) return 3;
  if (!(*db)->Get("greeting", &value).ok() || value != "hello, world") return 4;
  return (*db)->Close().ok() ? 0 : 5;
}
