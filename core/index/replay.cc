#include "core/index/replay.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "core/damage.h"
#include "core/format/key_table.h"
#include "core/plugin/keystore.h"
#include "core/segment/segment_file.h"
#include "core/system/mutex.h"

namespace rumcask {
namespace {

constexpr size_t kBatch = 1024;

// Order and accounting for the keystore. Within the user stream ids and offsets grow with the
// numbers, so that the order of two records is that of their places.
class Context : public LoadContext {
 public:
  explicit Context(const Log* log) : log_(log) {}

  bool IsNewer(Location a, Location b) const override { return log_->IsNewer(a, b); }

  void Superseded(Location location) override { log_->space().DebitFound(location); }

 private:
  const Log* const log_;
};

// Withholds keys that are too long from the keystore, and remembers which of them have values.
class KeyLimit {
 public:
  explicit KeyLimit(size_t max_key_bytes) : max_key_bytes_(max_key_bytes) {}

  // Returns whether the key is short enough.
  bool Takes(const RecordHeader& header, std::string_view key) {
    if (key.size() <= max_key_bytes_) return true;
    MutexLock lock(mutex_);
    auto& [sequence, is_delete] = too_long_[std::string(key)];
    if (header.sequence > sequence) {
      sequence = header.sequence;
      is_delete = header.is_tombstone();
    }
    return false;
  }

  absl::Status Check() {
    MutexLock lock(mutex_);
    size_t count = 0;
    const std::string* example = nullptr;
    for (const auto& [key, newest] : too_long_) {
      if (newest.second) continue;
      ++count;
      example = &key;
    }
    if (count == 0) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(count, count == 1 ? " key is" : " keys are", " longer than the ",
                     max_key_bytes_, " bytes that the keystore takes; one of ", example->size(),
                     " bytes begins with ", absl::BytesToHexString(example->substr(0, 32))));
  }

 private:
  const size_t max_key_bytes_;
  Mutex mutex_;
  absl::flat_hash_map<std::string, std::pair<uint64_t, bool>> too_long_ ABSL_GUARDED_BY(mutex_);
};

// The buffer into which a thread reads key tables. It is a mapping, so that its pages fault once
// and are returned to the system at the end. malloc would keep them: a process with an index of a
// million keys took half as much memory again.
class TableBuffer {
 public:
  explicit TableBuffer(uint64_t bytes) : bytes_(bytes) {
    if (bytes == 0) return;
    void* const mapping =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping != MAP_FAILED) data_ = static_cast<char*>(mapping);
  }
  ~TableBuffer() {
    if (data_ != nullptr) ::munmap(data_, bytes_);
  }
  TableBuffer(const TableBuffer&) = delete;
  TableBuffer& operator=(const TableBuffer&) = delete;

  // Null if the system has no memory for it.
  char* data() const { return data_; }

 private:
  const uint64_t bytes_;
  char* data_ = nullptr;
};

class Replay {
 public:
  Replay(Directory* directory, Log* log, Keystore* keystore, const ReplayOptions& load,
         std::vector<Damage>* damages)
      : directory_(directory),
        log_(log),
        keystore_(keystore),
        load_(load),
        damages_(damages),
        limit_(load.max_key_bytes),
        context_(log),
        all_(log->Segments()) {
    for (const RecoveredSegment& segment : log->live_set().recovered().segments) {
      if (segment.has_footer)
        largest_table_ = std::max(largest_table_, segment.trailer.table_bytes);
    }
  }

  absl::Status Run() {
    const size_t cores = std::max(1u, std::thread::hardware_concurrency());
    const size_t threads = load_.in_order ? 1 : std::min({cores, all_.size(), size_t{8}});
    std::vector<std::thread> helpers;
    try {
      for (size_t i = 1; i < threads; ++i) helpers.emplace_back([this] { Work(); });
    } catch (const std::system_error&) {
      // The system has no more threads; those that were started do the work.
    }
    Work();
    for (std::thread& helper : helpers) helper.join();
    MutexLock lock(mutex_);
    if (status_.ok()) status_ = limit_.Check();
    if (status_.ok() && keystore_ != nullptr) keystore_->FinishLoad();
    return status_;
  }

 private:
  // Loads one segment after the other until none is left.
  void Work() {
    const TableBuffer table(largest_table_);
    while (true) {
      const size_t i = next_.fetch_add(1);
      if (i >= all_.size()) return;
      absl::Status status =
          LoadSegment(log_->live_set().recovered().segments[i], all_[i].get(), table);
      if (status.ok() && load_.progress) load_.progress(i + 1, all_.size());
      if (status.ok() && (!load_.goes_on || load_.goes_on())) continue;
      MutexLock lock(mutex_);
      if (status_.ok()) status_ = std::move(status);
      next_.store(all_.size());
    }
  }

  // `buffer` belongs to the calling thread.
  absl::Status LoadSegment(const RecoveredSegment& recovered, Segment* segment,
                           const TableBuffer& buffer);
  absl::StatusOr<bool> LoadTable(SegmentFile* file, const RecoveredSegment& recovered,
                                 Segment* segment, const TableBuffer& buffer);
  absl::Status LoadByScanning(SegmentFile* file, const RecoveredSegment& recovered,
                              Segment* segment);
  absl::Status Note(Damage damage) {
    if (!load_.tolerate) return DamageStatus(damage);
    MutexLock lock(mutex_);
    damages_->push_back(std::move(damage));
    return absl::OkStatus();
  }

  Directory* const directory_;
  Log* const log_;
  Keystore* const keystore_;
  const ReplayOptions& load_;
  std::vector<Damage>* const damages_ ABSL_PT_GUARDED_BY(mutex_);
  KeyLimit limit_;
  Context context_;
  const std::vector<std::shared_ptr<Segment>> all_;
  uint64_t largest_table_ = 0;
  std::atomic<size_t> next_{0};
  Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

// Collects entries and gives them to the keystore many at a time.
class EntryBatch {
 public:
  EntryBatch(Segment* segment, Keystore* keystore, LoadContext* context, uint64_t above,
             KeyLimit* limit)
      : segment_(segment), keystore_(keystore), context_(context), above_(above), limit_(limit) {
    entries_.reserve(kBatch);
  }

  // `key` must stay valid until the next Flush.
  void Add(const RecordHeader& header, std::string_view key, uint64_t offset) {
    if (!header.is_data() || header.sequence <= above_ || !limit_->Takes(header, key)) return;
    const uint64_t bytes = header.record_bytes();
    const bool is_delete = header.is_tombstone();
    entries_.push_back(
        {key, Location::Make(segment_->slot(), offset, bytes), header.sequence, is_delete});
    if (!is_delete) live_ += bytes;
    if (entries_.size() == kBatch) Flush();
  }

  // The same for a key that does not stay valid.
  void AddCopy(const RecordHeader& header, std::string_view key, uint64_t offset) {
    if (keys_.size() + key.size() > keys_.capacity()) {
      Flush();
      keys_.reserve(std::max(kCopiedBytes, key.size()));
    }
    const size_t begin = keys_.size();
    keys_.append(key);
    Add(header, std::string_view(keys_).substr(begin), offset);
  }

  void Flush() {
    if (keystore_ == nullptr) {
      entries_.clear();
      keys_.clear();
      return;
    }
    // Credited before the keystore can call any of them superseded.
    Space::CreditFound(segment_, live_);
    live_ = 0;
    keystore_->Load(entries_, context_);
    entries_.clear();
    keys_.clear();
  }

 private:
  static constexpr size_t kCopiedBytes = size_t{64} << 10;

  Segment* const segment_;
  Keystore* const keystore_;
  LoadContext* const context_;
  const uint64_t above_;
  KeyLimit* const limit_;
  std::vector<LoadEntry> entries_;
  std::string keys_;  // not reallocated while entries_ refer to it
  uint64_t live_ = 0;
};

absl::StatusOr<bool> Replay::LoadTable(SegmentFile* file, const RecoveredSegment& recovered,
                                       Segment* segment, const TableBuffer& buffer) {
  const Trailer& trailer = recovered.trailer;
  if (buffer.data() == nullptr && trailer.table_bytes > 0) {
    return absl::ResourceExhaustedError(absl::StrCat(segment->name(), ": no memory for ",
                                                     trailer.table_bytes, " bytes of key table"));
  }
  absl::StatusOr<bool> whole = file->ReadKeyTable(trailer, buffer.data());
  if (!whole.ok() || !*whole) return whole;
  const std::string_view table(buffer.data(), trailer.table_bytes);
  EntryBatch batch(segment, keystore_, &context_, load_.above, &limit_);
  KeyTableReader reader(table, trailer);
  while (reader.Next()) batch.Add(reader.header(), reader.key(), reader.offset());
  batch.Flush();
  return true;
}

absl::Status Replay::LoadByScanning(SegmentFile* file, const RecoveredSegment& recovered,
                                    Segment* segment) {
  EntryBatch batch(segment, keystore_, &context_, load_.above, &limit_);
  uint64_t records = 0;
  absl::Status status = file->ForEachRecord(
      kSegmentHeaderBytes, recovered.end,
      [&](const FoundRecord& record) {
        batch.AddCopy(record.header, record.key, record.offset);
        ++records;
        return absl::OkStatus();
      },
      [&](const FoundDamage& damage) {
        return Note({segment->name(), damage.offset, damage.length,
                     absl::StrCat(damage.cause, "; nothing tells its key")});
      });
  if (!status.ok()) return status;
  batch.Flush();
  segment->records.store(records, std::memory_order_relaxed);
  segment->set_end(recovered.end);
  return absl::OkStatus();
}

absl::Status Replay::LoadSegment(const RecoveredSegment& recovered, Segment* segment,
                                 const TableBuffer& buffer) {
  // If the footer of a segment is damaged, its last number is not known, and it must be loaded.
  const bool known = recovered.last_sequence > 0;
  if (known && recovered.last_sequence <= load_.above) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<SegmentFile>> file =
      SegmentFile::Open(directory_, log_->uuid(), recovered.id);
  if (!file.ok()) return file.status();
  if (recovered.has_footer) {
    absl::StatusOr<bool> loaded = LoadTable(file->get(), recovered, segment, buffer);
    if (!loaded.ok() || *loaded) return loaded.status();
    MutexLock lock(mutex_);
    damages_->push_back({segment->name(), recovered.trailer.table_offset,
                         recovered.trailer.table_bytes, "key table is damaged"});
  }
  return LoadByScanning(file->get(), recovered, segment);
}

}  // namespace

absl::Status ReplayLog(Directory* directory, Log* log, Keystore* keystore,
                       const ReplayOptions& load, std::vector<Damage>* damages) {
  return Replay(directory, log, keystore, load, damages).Run();
}

}  // namespace rumcask
