#include <string>
#include <vector>

#include "keystores/by_name.h"
#include "tools/bench/rumcask_engine.h"
#include "tools/bench/tested_engines.h"
#include "tools/bench/yardsticks.h"

namespace rumcask::bench {

std::vector<EngineType> TestedEngines() {
  std::vector<EngineType> engines = {YardstickEngine()};
  for (const std::string& name : KeystoreNames()) {
    engines.push_back(RumcaskEngine(*KeystoreByName(name)));
  }
  return engines;
}

}  // namespace rumcask::bench
