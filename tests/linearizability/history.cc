#include "tests/linearizability/history.h"

#include <sstream>

namespace rumcask {
namespace {

const char* Name(Event::Kind kind) {
  switch (kind) {
    case Event::Kind::kRead:
      return "read";
    case Event::Kind::kPut:
      return "put";
    case Event::Kind::kDelete:
      return "delete";
    case Event::Kind::kPutIfAbsent:
      return "put-if-absent";
    case Event::Kind::kCompareAndPut:
      return "compare-and-put";
    case Event::Kind::kCompareAndDelete:
      return "compare-and-delete";
  }
  return "?";
}

}  // namespace

std::string ToString(const Event& event) {
  std::ostringstream text;
  text << "[" << event.begin << "," << event.end << "] thread " << int{event.thread} << " key "
       << event.key << " " << Name(event.kind);
  if (event.kind == Event::Kind::kCompareAndPut || event.kind == Event::Kind::kCompareAndDelete) {
    text << " expecting " << event.expected;
  }
  if (event.value != 0) text << " value " << event.value;
  text << (event.ok ? " ok" : event.kind == Event::Kind::kRead ? " not found" : " refused");
  if (event.told_version) text << " version " << event.version;
  if (event.told_existed) text << (event.existed ? " existed" : " did not exist");
  if (event.batch != 0) text << " batch " << event.batch;
  return text.str();
}

}  // namespace rumcask
