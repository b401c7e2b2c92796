#ifndef EMBEDDING_CORE_OPTIONS_H_
#define EMBEDDING_CORE_OPTIONS_H_

#include <string>

namespace embedding {

struct Options {
  std::string greeting = "hello, world";
};

}  // namespace embedding

#endif  // EMBEDDING_CORE_OPTIONS_H_
