// Limits on what a run may cost. Inputs are small, so an allocation of many megabytes means that a
// length was trusted, and a run of a second means that a loop count was. The entropic schedule is
// off, because its bookkeeping would take half of the time here. Flags on the command line come
// later and take precedence.

#include <string>
#include <vector>

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv);

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  static std::vector<std::string>* const flags = new std::vector<std::string>{
      "-malloc_limit_mb=64", "-rss_limit_mb=1024", "-timeout=10",
      "-max_len=65536",      "-entropic=0",        "-print_final_stats=1"};
  static std::vector<char*>* const all = new std::vector<char*>;
  all->assign(*argv, *argv + 1);
  for (std::string& flag : *flags) all->push_back(flag.data());
  all->insert(all->end(), *argv + 1, *argv + *argc);
  *argc = static_cast<int>(all->size());
  all->push_back(nullptr);
  *argv = all->data();
  return 0;
}
