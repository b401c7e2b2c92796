#include "core/store.h"

#include <pthread.h>

#include "absl/strings/str_cat.h"

#include "core/format/limits.h"
#include "core/listener.h"
#include "core/plugin/keystore.h"
#include "core/system/seeded_bug.h"

namespace rumcask {

std::atomic<uint64_t> ForkGeneration::generation_{0};

void ForkGeneration::Watch() {
  static const int registered = ::pthread_atfork(
      nullptr, nullptr, [] { generation_.fetch_add(1, std::memory_order_relaxed); });
  (void)registered;
}

Log::Config Store::LogConfig(const Options& options) {
  FileSystem* const file_system =
      options.file_system != nullptr ? options.file_system : PosixFileSystem();
  const ProcessLimits limits = file_system->Limits();
  Log::Config config;
  config.segment_bytes = options.segment_bytes;
  config.append_mapped = options.append_mode == AppendMode::kMapped;
  config.read_mapped = options.read_mode == ReadMode::kMapped;
  config.background_threads = options.background_threads;
  config.sync_interval = options.sync_interval;
  config.listener = options.listener;
  config.max_open_files =
      options.max_open_files != 0 ? options.max_open_files : Log::DefaultMaxOpenFiles(limits);
  config.process_mappings = limits.mappings;
  config.mapping_budget = file_system->mapping_budget();
  if (options.keystore->traits.persistent) {
    config.index_buffer_bytes = options.keystore->buffer_bytes;
  }
  return config;
}

absl::Status Store::WaitForReserve(bool adds) {
  absl::Status status;
  if (adds) {
    status = log_.reserve().CheckWhole();
    // Whoever makes room may never have been woken, if nothing was written since the opening.
    if (!status.ok() && !woke_for_room_.load()) woke_for_room_.store(gate_.Wake());
  } else {
    controller_->AwaitRelief();
  }
  if (status.ok()) return Pass();
  log_.TellListener();
  return status;
}

absl::Status Store::Unusable() const {
  return absl::FailedPreconditionError(
      in_forked_child() ? "database was opened by the parent of this forked process"
                        : "database is closed");
}

absl::Status Store::NotWritable() const {
  return absl::FailedPreconditionError("database is open read-only");
}

absl::Status Store::BadKey(std::string_view key) const {
  if (key.empty()) return absl::InvalidArgumentError("key is empty");
  return absl::InvalidArgumentError(absl::StrCat("key of ", key.size(), " bytes; at most ",
                                                 max_key_bytes_, " are allowed in this database"));
}

absl::Status Store::BadValue(std::string_view value) {
  return absl::InvalidArgumentError(
      absl::StrCat("value of ", value.size(), " bytes; at most ", kMaxValueBytes, " are allowed"));
}

absl::Status Store::Report(absl::Status damage) {
  if (options_.listener != nullptr) options_.listener->OnDamage(damage);
  return damage;
}

absl::Status Store::ReadPut(Location location, RecordBuffer* buffer, RecordView* record) {
  const SegmentPin segment = log_.Pin(location);
  absl::Status status = segment->Read(location, buffer, record);
  if (!status.ok()) return status;
  return record->header.is_readable() ? absl::OkStatus() : Lost(location);
}

absl::Status Store::ReadRecord(const PreparedKey& key, Location location, RecordBuffer* buffer,
                               RecordView* record) {
  const SegmentPin segment = log_.Pin(location);
  absl::Status status = segment->Read(location, buffer, record);
  if (!status.ok()) return status;
  if (record->key() != key.key && !SeededBug("key-not-compared")) {
    // The location may have come from a snapshot's past versions, but only the index can be wrong.
    return index_.ReportMisdirected(location,
                                    absl::StrCat(segment->name(), " offset ", location.offset()));
  }
  return record->header.is_readable() ? absl::OkStatus() : Lost(location);
}

absl::Status Store::Lost(Location location) {
  return absl::DataLossError(absl::StrCat(log_.Pin(location)->name(), " offset ", location.offset(),
                                          ": value was lost and given up by a repair"));
}

absl::Status Store::ReadVersion(const PreparedKey& key, Location location, uint64_t* version) {
  RecordBuffer buffer;
  RecordView record;
  const SegmentPin segment = log_.Pin(location);
  absl::Status status = segment->Read(location, &buffer, &record);
  if (!status.ok()) return status;
  if (record.key() != key.key) {
    return index_.ReportMisdirected(location,
                                    absl::StrCat(segment->name(), " offset ", location.offset()));
  }
  *version = record.header.sequence;
  return absl::OkStatus();
}

namespace {

// A plain pointer, so that it is usable until the very end of a thread: a database may be used in
// the destructors of statics and of thread-local objects.
thread_local RecordBuffer* thread_record_buffer = nullptr;

struct ThreadRecordBufferOwner {
  ~ThreadRecordBufferOwner() {
    delete thread_record_buffer;
    thread_record_buffer = nullptr;
  }
  void Touch() {}
};

RecordBuffer* MakeThreadRecordBuffer() {
  // After the owner's destructor has run, a new buffer is never freed.
  thread_local ThreadRecordBufferOwner owner;
  owner.Touch();
  return thread_record_buffer = new RecordBuffer;
}

}  // namespace

RecordBuffer* ThreadRecordBuffer() {
  RecordBuffer* buffer = thread_record_buffer;
  if (buffer == nullptr) buffer = MakeThreadRecordBuffer();
  // A thread that has read one huge value does not keep the memory for it.
  if (buffer->size() > (size_t{1} << 20)) RecordBuffer().swap(*buffer);
  return buffer;
}

}  // namespace rumcask
