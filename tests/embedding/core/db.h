// A program that keeps its own code in core/, under names that rumcask's files have, too. rumcask
// must neither be disturbed by them nor hide them.

#ifndef EMBEDDING_CORE_DB_H_
#define EMBEDDING_CORE_DB_H_

#include <string>

#include "core/options.h"
#include "core/status.h"

namespace embedding {

// Writes the greeting into a database of each keystore and reads it back.
Status Greet(const std::string& path, const Options& options);

}  // namespace embedding

#endif  // EMBEDDING_CORE_DB_H_
