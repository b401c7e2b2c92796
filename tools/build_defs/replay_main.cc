// A main() for fuzz targets that are built without libFuzzer. It runs the target once on each file
// named on the command line, so that the corpus is a regression test with any compiler.

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int argc, char** argv) {
  const uint8_t empty = 0;
  LLVMFuzzerTestOneInput(&empty, 0);
  for (int i = 1; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    if (!file) {
      std::cerr << "cannot read " << argv[i] << "\n";
      return 1;
    }
    const std::vector<char> bytes((std::istreambuf_iterator<char>(file)),
                                  std::istreambuf_iterator<char>());
    // A copy of the exact size lets AddressSanitizer see overruns by one.
    const std::vector<uint8_t> input(bytes.begin(), bytes.end());
    LLVMFuzzerTestOneInput(input.empty() ? &empty : input.data(), input.size());
  }
  std::cout << "ran " << argc - 1 << " inputs\n";
  return 0;
}
