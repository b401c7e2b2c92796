#include <iostream>

#include "rumcask/open.h"

int main(int argc, char** argv) {
  rumcask::Options options;
  options.create_if_missing = true;
  auto db = rumcask::Open(argc > 1 ? argv[1] : "/tmp/hello.db", options);
  if (!db.ok()) {
    std::cerr << db.status() << "\n";
    return 1;
  }
  absl::Status status = (*db)->Put("greeting", "hello, world", {/*sync=*/true});
  std::string value;
  if (status.ok()) status = (*db)->Get("greeting", &value);
  if (status.ok()) status = (*db)->Close();
  std::cout << (status.ok() ? value : status.ToString()) << "\n";
  return status.ok() ? 0 : 1;
}
