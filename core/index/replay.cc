#include "core/index/replay.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <queue>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"

#include "core/damage.h"
#include "core/format/key_table.h"
#include "core/index/entry_batch.h"
#include "core/index/record_order.h"
#include "core/plugin/keystore.h"
#include "core/segment/record_cursor.h"
#include "core/segment/segment_file.h"
#include "core/system/mutex.h"
#include "core/system/seeded_bug.h"

namespace rumcask {
namespace {

// Order and accounting for the keystore.
class Context : public LoadContext {
 public:
  Context(const Log* log, const RecordOrder* order) : log_(log), order_(order) {}

  bool IsNewer(const LoadEntry& entry, Location b) const override {
    return order_->IsNewer(entry.sequence, entry.location, b);
  }

  void Superseded(Location location) override { log_->space().DebitFound(location); }

 private:
  const Log* const log_;
  const RecordOrder* const order_;
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

// One of the streams of records whose numbers ascend: the user's, or a survivor.
struct Source {
  // Indexes of its segments. `next` is that of the segment to begin after the current one.
  std::vector<size_t> segments;
  size_t next = 0;

  // The current segment, which is read by its key table or else record by record.
  size_t at = 0;
  std::unique_ptr<KeyTableCursor> table;
  std::unique_ptr<SegmentFile> file;
  std::unique_ptr<RecordCursor> records;
  uint64_t count = 0;

  // The current record. Its key is valid until the source goes on.
  RecordHeader header;
  std::string_view key;
  uint64_t offset = 0;
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
        order_(directory, log),
        context_(log, &order_),
        found_(log->live_set().recovered().segments),
        all_(log->Segments()) {
    for (const RecoveredSegment& segment : found_) {
      if (segment.has_footer) {
        largest_table_ = std::max(largest_table_, segment.trailer.table_bytes);
      }
    }
    SetBounds();
  }

  absl::Status Run() {
    absl::Status status = load_.in_order ? RunInOrder() : RunInParallel();
    if (status.ok()) status = limit_.Check();
    if (status.ok() && keystore_ != nullptr) keystore_->FinishLoad();
    return status;
  }

 private:
  // Whether there may be records in it that the keystore lacks. Survivors have nothing that was not
  // in the user's segments before, so an index that needs none but the newest needs none of theirs.
  bool IsWanted(const RecoveredSegment& segment) const {
    if (segment.stream == Stream::kSurvivor) {
      return load_.above == 0 || load_.above < log_->live_set().manifest().gc_horizon;
    }
    // If the footer of a segment is damaged, its last number is not known.
    return segment.last_sequence == 0 || segment.last_sequence > load_.above;
  }

  void SetBounds();
  absl::Status RunInParallel();
  void Work();
  absl::Status RunInOrder();
  std::vector<Source> Sources() const;
  absl::StatusOr<bool> Advance(Source* source);
  absl::StatusOr<bool> BeginSegment(Source* source);
  void EndSegment(Source* source);
  void NoteFinished();
  // `buffer` belongs to the calling thread.
  absl::Status LoadSegment(size_t index, const TableBuffer& buffer);
  absl::StatusOr<bool> LoadTable(SegmentFile* file, size_t index, const TableBuffer& buffer);
  absl::Status LoadByScanning(SegmentFile* file, size_t index);
  absl::Status Note(Damage damage) {
    if (!load_.tolerate) return DamageStatus(damage);
    NoteTable(std::move(damage));
    return absl::OkStatus();
  }
  // Damage that hides no key.
  void NoteTable(Damage damage) {
    MutexLock lock(mutex_);
    damages_->push_back(std::move(damage));
  }
  absl::Status NoteRecords(const Segment& segment, const FoundDamage& damage) {
    return Note({segment.name(), damage.offset, damage.length,
                 absl::StrCat(damage.cause, "; the record's key is not known")});
  }
  EntryBatch NewBatch() { return EntryBatch(keystore_, &context_, load_.above, &limit_); }

  Directory* const directory_;
  Log* const log_;
  Keystore* const keystore_;
  const ReplayOptions& load_;
  std::vector<Damage>* const damages_ ABSL_PT_GUARDED_BY(mutex_);
  KeyLimit limit_;
  RecordOrder order_;
  Context context_;
  const std::vector<RecoveredSegment>& found_;
  const std::vector<std::shared_ptr<Segment>> all_;  // in the same order
  uint64_t largest_table_ = 0;
  std::atomic<size_t> next_{0};
  std::atomic<size_t> finished_{0};
  std::atomic<bool> stopped_{false};
  Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

void Replay::SetBounds() {
  // Numbers that were not found out lie between those of the neighbours.
  uint64_t above = 0;
  for (size_t i = 0; i < found_.size(); ++i) {
    if (found_[i].stream == Stream::kSurvivor) {
      order_.SetSurvivor(all_[i]->slot());
      continue;
    }
    const uint64_t first = found_[i].first_sequence;
    uint64_t last = first != 0 ? found_[i].last_sequence : UINT64_MAX;
    for (size_t j = i + 1; last == UINT64_MAX && j < found_.size(); ++j) {
      const RecoveredSegment& next = found_[j];
      if (next.stream == Stream::kUser && next.first_sequence != 0) last = next.first_sequence - 1;
    }
    order_.SetUser(all_[i]->slot(), first != 0 ? first : above + 1, last);
    above = std::max(above, found_[i].last_sequence);
  }
}

// ---- many segments at a time ----

absl::Status Replay::RunInParallel() {
  const size_t cores = std::max(1u, std::thread::hardware_concurrency());
  const size_t threads = std::min({cores, all_.size(), size_t{8}});
  std::vector<std::thread> helpers;
  try {
    for (size_t i = 1; i < threads; ++i) helpers.emplace_back([this] { Work(); });
  } catch (const std::system_error&) {
    // The system has no more threads; those that were started do the work.
  }
  Work();
  for (std::thread& helper : helpers) helper.join();
  MutexLock lock(mutex_);
  return status_;
}

// Loads one segment after the other until none is left.
void Replay::Work() {
  const TableBuffer table(largest_table_);
  while (!stopped_.load()) {
    const size_t i = next_.fetch_add(1);
    if (i >= all_.size()) return;
    absl::Status status = IsWanted(found_[i]) ? LoadSegment(i, table) : absl::OkStatus();
    if (status.ok()) {
      NoteFinished();
      continue;
    }
    stopped_.store(true);
    MutexLock lock(mutex_);
    if (status_.ok()) status_ = std::move(status);
  }
}

void Replay::NoteFinished() {
  const size_t finished = finished_.fetch_add(1) + 1;
  if (load_.progress) load_.progress(finished, all_.size());
  if (load_.goes_on && !load_.goes_on()) stopped_.store(true);
}

absl::Status Replay::LoadSegment(size_t index, const TableBuffer& buffer) {
  const RecoveredSegment& found = found_[index];
  absl::StatusOr<std::unique_ptr<SegmentFile>> file =
      SegmentFile::Open(directory_, log_->uuid(), found.id);
  if (!file.ok()) return file.status();
  if (found.has_footer) {
    absl::StatusOr<bool> loaded = LoadTable(file->get(), index, buffer);
    if (!loaded.ok() || *loaded) return loaded.status();
    NoteTable({all_[index]->name(), found.trailer.table_offset, found.trailer.table_bytes,
               "key table is damaged"});
  }
  return LoadByScanning(file->get(), index);
}

absl::StatusOr<bool> Replay::LoadTable(SegmentFile* file, size_t index, const TableBuffer& buffer) {
  const Trailer& trailer = found_[index].trailer;
  Segment* const segment = all_[index].get();
  if (buffer.data() == nullptr && trailer.table_bytes > 0) {
    return absl::ResourceExhaustedError(absl::StrCat(segment->name(), ": no memory for ",
                                                     trailer.table_bytes, " bytes of key table"));
  }
  absl::StatusOr<bool> whole = file->ReadKeyTable(trailer, buffer.data());
  if (!whole.ok() || !*whole) return whole;
  const std::string_view table(buffer.data(), trailer.table_bytes);
  if (segment->stream() == Stream::kSurvivor) {
    NumberSample sample;
    for (KeyTableReader entry(table, trailer); entry.Next();) {
      if (entry.header().has_own_sequence()) sample.Add(entry.header().sequence, entry.offset());
    }
    order_.SetSample(segment->slot(), std::move(sample));
  }
  EntryBatch batch = NewBatch();
  for (KeyTableReader entry(table, trailer); entry.Next();) {
    batch.Add(segment, entry.header(), entry.key(), entry.offset());
    if (entry.ends_block()) batch.Flush();
  }
  batch.Flush();
  return true;
}

absl::Status Replay::LoadByScanning(SegmentFile* file, size_t index) {
  const uint64_t end = found_[index].end;
  Segment* const segment = all_[index].get();
  if (segment->stream() == Stream::kSurvivor) {
    absl::Status status = order_.ReadSample(segment->slot(), file, end);
    if (!status.ok()) return status;
  }
  EntryBatch batch = NewBatch();
  uint64_t records = 0;
  absl::Status status = file->ForEachRecord(
      kSegmentHeaderBytes, end,
      [&](const FoundRecord& record) {
        batch.AddCopy(segment, record.header, record.key, record.offset);
        ++records;
        return absl::OkStatus();
      },
      [&](const FoundDamage& damage) { return NoteRecords(*segment, damage); });
  if (!status.ok()) return status;
  batch.Flush();
  segment->records.store(records, std::memory_order_relaxed);
  segment->set_end(end);
  return absl::OkStatus();
}

// ---- by ascending numbers ----

// The streams with all that the keystore lacks. The user's segments follow each other.
std::vector<Source> Replay::Sources() const {
  std::vector<Source> sources(1);
  for (size_t i = 0; i < found_.size(); ++i) {
    if (!IsWanted(found_[i])) continue;
    if (found_[i].stream == Stream::kSurvivor && !SeededBug("rebuilt-in-segment-order")) {
      sources.emplace_back().segments = {i};
    } else {
      sources[0].segments.push_back(i);
    }
  }
  return sources;
}

absl::Status Replay::RunInOrder() {
  std::vector<Source> sources = Sources();
  for (const RecoveredSegment& segment : found_) {
    if (!IsWanted(segment)) (void)finished_.fetch_add(1);
  }
  // The source with the lowest number is on top. Of copies, the one in the later segment comes
  // first, and the other one is dead.
  const auto is_later = [](const Source* a, const Source* b) {
    return a->header.sequence != b->header.sequence ? a->header.sequence > b->header.sequence
                                                    : a->at < b->at;
  };
  std::priority_queue<Source*, std::vector<Source*>, decltype(is_later)> queue(is_later);
  EntryBatch batch = NewBatch();
  const auto advance = [&](Source* source) {
    const absl::StatusOr<bool> more = Advance(source);
    if (more.ok() && *more) queue.push(source);
    return more.status();
  };
  for (Source& source : sources) {
    absl::Status status = advance(&source);
    if (!status.ok()) return status;
  }
  while (!queue.empty() && !stopped_.load()) {
    Source* const source = queue.top();
    queue.pop();
    batch.AddCopy(all_[source->at].get(), source->header, source->key, source->offset);
    absl::Status status = advance(source);
    if (!status.ok()) return status;
  }
  batch.Flush();
  return absl::OkStatus();
}

// Goes on to the source's next record of a key. False if there is none.
absl::StatusOr<bool> Replay::Advance(Source* source) {
  while (true) {
    if (source->table == nullptr && source->records == nullptr) {
      absl::StatusOr<bool> begun = BeginSegment(source);
      if (!begun.ok() || !*begun) return begun;
    }
    if (source->table != nullptr) {
      const absl::StatusOr<bool> more = source->table->Next();
      if (!more.ok()) return more.status();
      if (*more) {
        source->header = source->table->header();
        if (!source->header.is_data()) continue;
        source->key = source->table->key();
        source->offset = source->table->offset();
        return true;
      }
    } else {
      const absl::StatusOr<Found> found = source->records->Next();
      if (!found.ok()) return found.status();
      if (*found == Found::kDamage) {
        absl::Status status = NoteRecords(*all_[source->at], source->records->damage());
        if (!status.ok()) return status;
        continue;
      }
      if (*found == Found::kRecord) {
        ++source->count;
        const FoundRecord record = source->records->record();
        if (!record.header.is_data()) continue;
        source->header = record.header;
        source->key = record.key;
        source->offset = record.offset;
        return true;
      }
    }
    EndSegment(source);
    if (stopped_.load()) return false;
  }
}

absl::StatusOr<bool> Replay::BeginSegment(Source* source) {
  if (source->next == source->segments.size()) return false;
  source->at = source->segments[source->next++];
  const RecoveredSegment& found = found_[source->at];
  if (found.has_footer) {
    auto table =
        std::make_unique<KeyTableCursor>(directory_, log_->uuid(), found.id, found.trailer);
    const absl::StatusOr<bool> whole = table->Check();
    if (!whole.ok()) return whole.status();
    if (*whole) {
      source->table = std::move(table);
      return true;
    }
    NoteTable({all_[source->at]->name(), found.trailer.table_offset, found.trailer.table_bytes,
               "key table is damaged"});
  }
  absl::StatusOr<std::unique_ptr<SegmentFile>> file =
      SegmentFile::Open(directory_, log_->uuid(), found.id);
  if (!file.ok()) return file.status();
  source->file = std::move(*file);
  source->records =
      std::make_unique<RecordCursor>(source->file.get(), kSegmentHeaderBytes, found.end);
  source->count = 0;
  return true;
}

void Replay::EndSegment(Source* source) {
  if (source->records != nullptr) {
    Segment* const segment = all_[source->at].get();
    segment->records.store(source->count, std::memory_order_relaxed);
    segment->set_end(found_[source->at].end);
  }
  source->table.reset();
  source->records.reset();
  source->file.reset();
  NoteFinished();
}

}  // namespace

absl::Status ReplayLog(Directory* directory, Log* log, Keystore* keystore,
                       const ReplayOptions& load, std::vector<Damage>* damages) {
  return Replay(directory, log, keystore, load, damages).Run();
}

}  // namespace rumcask
