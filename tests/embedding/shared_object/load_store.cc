// Loads the shared objects of store.cc that the command line names, as a program does that knows
// nothing of rumcask or Abseil, and uses and unloads each of them.

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <string>

int main(int argc, char** argv) {
  const char* directory = std::getenv("TEST_TMPDIR");
  if (argc < 2 || directory == nullptr) return 64;
  for (int i = 1; i < argc; ++i) {
    void* object = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
    if (object == nullptr) {
      std::fprintf(stderr, "%s\n", dlerror());
      return 1;
    }
    auto* round_trip = reinterpret_cast<int (*)(const char*)>(dlsym(object, "StoreRoundTrip"));
    if (round_trip == nullptr) return 2;
    const int failed = round_trip((std::string(directory) + "/" + std::to_string(i)).c_str());
    std::printf("%s: %d\n", argv[i], failed);
    if (failed != 0 || dlclose(object) != 0) return 3;
  }
  return 0;
}
