#ifndef EMBEDDING_CORE_STATUS_H_
#define EMBEDDING_CORE_STATUS_H_

namespace embedding {

enum class Status { kFine, kBroken };

}  // namespace embedding

#endif  // EMBEDDING_CORE_STATUS_H_
