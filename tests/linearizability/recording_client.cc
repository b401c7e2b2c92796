#include "tests/linearizability/recording_client.h"

#include <cstring>
#include <memory>
#include <sstream>
#include <utility>

#include "core/write_batch.h"

namespace rumcask {
namespace {

std::string KeyName(uint32_t key) { return "key" + std::to_string(key); }

// The bytes of a value: its number, and a filling that follows from the number. Mostly short, often
// long enough to be pinned, sometimes larger than a small segment.
std::string Bytes(uint64_t number) {
  const uint64_t hash = number * uint64_t{0x9e3779b97f4a7c15} >> 32;
  size_t size = sizeof(number) + hash % 48;
  if (hash / 64 % 4 == 0) size += 256 + hash / 256 % 600;
  if (hash / 64 % 64 == 1) size += 3000 + hash / 4096 % 3000;
  std::string bytes(size, '\0');
  std::memcpy(bytes.data(), &number, sizeof(number));
  for (size_t i = sizeof(number); i < size; ++i) bytes[i] = static_cast<char>(number * 31 + i);
  return bytes;
}

// The number of the value `bytes`; 0 if they are not a value that this test wrote.
uint64_t Number(std::string_view bytes) {
  uint64_t number = 0;
  if (bytes.size() < sizeof(number)) return 0;
  std::memcpy(&number, bytes.data(), sizeof(number));
  return Bytes(number) == bytes ? number : 0;
}

}  // namespace

RecordingClient::RecordingClient(uint8_t thread, uint32_t keys, uint64_t seed, HistoryClock* clock)
    : thread_(thread),
      keys_(keys),
      clock_(clock),
      random_(seed * 1000003 + thread),
      seen_(keys, 0) {}

uint32_t RecordingClient::RandomKey() { return static_cast<uint32_t>(Random(keys_)); }

uint64_t RecordingClient::SomeVersion(uint32_t key) {
  switch (Random(8)) {
    case 0:
      return 0;
    case 1:
      return seen_[key] + 1;
    default:
      return seen_[key];
  }
}

WriteOptions RecordingClient::SomeWriteOptions() {
  WriteOptions options;
  options.sync = Random(thread_ < 2 ? 8 : 64) == 0;
  return options;
}

void RecordingClient::Error(std::string what) {
  if (errors_.size() < 5) errors_.push_back(std::move(what));
}

bool RecordingClient::Check(const absl::Status& status, const char* call) {
  if (status.ok()) return true;
  std::ostringstream text;
  text << call << ": " << status;
  Error(text.str());
  return false;
}

Event RecordingClient::Begin(Event::Kind kind, uint32_t key) {
  Event event;
  event.kind = kind;
  event.thread = thread_;
  event.key = key;
  event.begin = clock_->Tick();
  return event;
}

void RecordingClient::End(Event event) {
  if (event.end == 0) event.end = clock_->Tick();
  if (event.told_version) seen_[event.key] = event.version;
  history_.push_back(event);
}

void RecordingClient::EndRead(Event event, const absl::Status& status, std::string_view value,
                              std::optional<uint64_t> version) {
  if (event.end == 0) event.end = clock_->Tick();
  if (absl::IsNotFound(status)) {
    End(event);
    seen_[event.key] = 0;
    return;
  }
  if (!Check(status, "read")) return;
  event.ok = true;
  event.value = Number(value);
  if (event.value == 0) Error("read bytes that no one wrote: " + ToString(event));
  event.told_version = version.has_value();
  event.version = version.value_or(0);
  End(event);
}

void RecordingClient::EndWrite(Event event, const absl::Status& status, const WriteResult* result) {
  event.end = clock_->Tick();
  event.ok = status.ok();
  const bool refused = event.kind == Event::Kind::kPutIfAbsent ? absl::IsAlreadyExists(status)
                                                               : absl::IsAborted(status);
  const bool conditional = event.kind == Event::Kind::kPutIfAbsent ||
                           event.kind == Event::Kind::kCompareAndPut ||
                           event.kind == Event::Kind::kCompareAndDelete;
  if (!(conditional && refused) && !Check(status, "write")) return;
  if (result != nullptr) {
    event.told_version = event.told_existed = true;
    event.version = result->version;
    event.existed = result->existed;
  }
  End(event);
  // A successful delete leaves the key missing, whatever the version of its record.
  const bool deletes =
      event.kind == Event::Kind::kDelete || event.kind == Event::Kind::kCompareAndDelete;
  if (deletes && event.ok) seen_[event.key] = 0;
}

void RecordingClient::Get(DB* db, uint32_t key) {
  const std::string name = KeyName(key);
  uint64_t version = 0;
  const Event event = Begin(Event::Kind::kRead, key);
  const absl::Status status = db->Get(name, &buffer_, {}, &version);
  EndRead(event, status, buffer_, version);
}

void RecordingClient::GetString(DB* db) {
  const uint32_t key = RandomKey();
  const std::string name = KeyName(key);
  const Event event = Begin(Event::Kind::kRead, key);
  const absl::StatusOr<std::string> value = db->Get(name);
  EndRead(event, value.status(), value.ok() ? *value : std::string(), std::nullopt);
}

void RecordingClient::GetPinned(DB* db) {
  const uint32_t key = RandomKey();
  const std::string name = KeyName(key);
  PinnedValue value;
  Event event = Begin(Event::Kind::kRead, key);
  const absl::Status status = db->Get(name, &value);
  event.end = clock_->Tick();
  EndRead(event, status, value.value(), value.version());
  if (!status.ok()) return;
  // It must stay the same until it is released.
  Held held{std::move(value), history_.back().value};
  if (held_.size() < 16) {
    held_.push_back(std::move(held));
    return;
  }
  Held& oldest = held_[Random(held_.size())];
  if (Number(oldest.value.value()) != oldest.number) Error("a pinned value changed");
  oldest = std::move(held);
}

void RecordingClient::MultiGet(DB* db) {
  const size_t count = 1 + Random(6);
  std::vector<std::string> names;
  std::vector<uint32_t> keys;
  for (size_t i = 0; i < count; ++i) {
    keys.push_back(RandomKey());
    names.push_back(KeyName(keys.back()));
  }
  const std::vector<std::string_view> views(names.begin(), names.end());
  std::vector<std::string> values;
  std::vector<absl::Status> statuses;
  const uint64_t begin = clock_->Tick();
  db->MultiGet(views, &values, &statuses);
  const uint64_t end = clock_->Tick();
  for (size_t i = 0; i < count; ++i) {
    Event event;
    event.thread = thread_;
    event.key = keys[i];
    event.begin = begin;
    event.end = end;
    EndRead(event, statuses[i], values[i], std::nullopt);
  }
}

void RecordingClient::Walk(DB* db) {
  const uint64_t begin = clock_->Tick();
  absl::StatusOr<std::unique_ptr<Iterator>> it = db->NewIterator();
  if (!Check(it.status(), "iterator")) return;
  std::vector<bool> came(keys_, false);
  for (; (*it)->Valid(); (*it)->Next()) {
    Event event;
    event.thread = thread_;
    event.begin = begin;
    event.end = clock_->Tick();
    event.key = static_cast<uint32_t>(std::stoul(std::string((*it)->key().substr(3))));
    if (came[event.key]) Error("a walk met key" + std::to_string(event.key) + " twice");
    came[event.key] = true;
    EndRead(event, absl::OkStatus(), (*it)->value(), (*it)->version());
  }
  Check((*it)->status(), "walk");
}

void RecordingClient::Write(DB* db, Event::Kind kind) {
  const uint32_t key = RandomKey();
  const std::string name = KeyName(key);
  const uint64_t number = NewValue();
  const std::string value = Bytes(number);
  const WriteOptions options = SomeWriteOptions();
  const uint64_t expected = SomeVersion(key);
  WriteResult result;
  WriteResult* const asked = Random(4) != 0 ? &result : nullptr;
  Event event = Begin(kind, key);
  absl::Status status;
  switch (kind) {
    case Event::Kind::kPut:
      event.value = number;
      status = db->Put(name, value, options, asked);
      break;
    case Event::Kind::kDelete:
      status = db->Delete(name, options, asked);
      break;
    case Event::Kind::kPutIfAbsent:
      event.value = number;
      status = db->PutIfAbsent(name, value, options, asked);
      break;
    case Event::Kind::kCompareAndPut:
      event.value = number;
      event.expected = expected;
      status = db->CompareAndPut(name, value, expected, options, asked);
      break;
    case Event::Kind::kCompareAndDelete:
      event.expected = expected;
      status = db->CompareAndDelete(name, expected, options, asked);
      break;
    case Event::Kind::kRead:
      return;
  }
  EndWrite(event, status, asked);
}

void RecordingClient::WriteBatchOfSeveral(DB* db) {
  WriteBatch batch;
  History events;
  std::vector<bool> named(keys_, false);
  const uint64_t number = (uint64_t{thread_} + 1) << 40 | ++batches_;
  for (size_t i = 0, count = 2 + Random(4); i < count; ++i) {
    Event event;
    event.key = RandomKey();
    event.batch = number;
    event.thread = thread_;
    event.after_previous = named[event.key];
    named[event.key] = true;
    if (Random(4) == 0) {
      event.kind = Event::Kind::kDelete;
      batch.Delete(KeyName(event.key));
    } else {
      event.kind = Event::Kind::kPut;
      event.value = NewValue();
      batch.Put(KeyName(event.key), Bytes(event.value));
    }
    events.push_back(event);
  }
  const WriteOptions options = SomeWriteOptions();
  WriteResult result;
  WriteResult* const asked = Random(4) != 0 ? &result : nullptr;
  const uint64_t begin = clock_->Tick();
  const absl::Status status = db->Write(batch, options, asked);
  const uint64_t end = clock_->Tick();
  if (!Check(status, "batch")) return;
  for (size_t i = 0; i < events.size(); ++i) {
    Event& event = events[i];
    event.begin = begin;
    event.end = end;
    event.ok = true;
    event.told_version = asked != nullptr;
    if (asked != nullptr) event.version = result.version - (events.size() - 1 - i);
    End(event);
    if (event.kind == Event::Kind::kDelete) seen_[event.key] = 0;
  }
}

void RecordingClient::Run(DB* db, uint64_t calls) {
  for (uint64_t i = 0; i < calls && errors_.empty(); ++i) {
    const uint64_t choice = Random(1000);
    if (choice < 230) {
      Get(db, RandomKey());
    } else if (choice < 310) {
      GetString(db);
    } else if (choice < 410) {
      GetPinned(db);
    } else if (choice < 490) {
      MultiGet(db);
    } else if (choice < 494) {
      Walk(db);
    } else if (choice < 496) {
      Check(db->Sync(), "sync");
    } else if (choice < 560) {
      WriteBatchOfSeveral(db);
    } else if (choice < 700) {
      Write(db, Event::Kind::kPut);
    } else if (choice < 770) {
      Write(db, Event::Kind::kDelete);
    } else if (choice < 850) {
      Write(db, Event::Kind::kPutIfAbsent);
    } else if (choice < 940) {
      Write(db, Event::Kind::kCompareAndPut);
    } else {
      Write(db, Event::Kind::kCompareAndDelete);
    }
  }
}

void RecordingClient::ReadAll(DB* db) {
  for (uint32_t key = 0; key < keys_; ++key) Get(db, key);
  size_t found = 0;
  for (size_t i = history_.size() - keys_; i < history_.size(); ++i) found += history_[i].ok;
  const size_t before = history_.size();
  Walk(db);
  if (history_.size() - before != found) Error("a walk does not meet the keys that reads find");
  for (const Held& held : held_) {
    if (Number(held.value.value()) != held.number) Error("a pinned value changed");
  }
}

}  // namespace rumcask
