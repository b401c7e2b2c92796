#include "rumcask/db.h"

#include <cstdlib>
#include <iostream>
#include <string>

#include "core/db.h"

int main() {
  const std::string path = std::string(std::getenv("TEST_TMPDIR")) + "/greeting.db";
  if (embedding::Greet(path, embedding::Options()) != embedding::Status::kFine) return 1;
  std::cout << "written and read back in " << path << "\n";
  return 0;
}
