#include "tools/bench/lmdb_engine.h"

#include <lmdb.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"

#include "tools/bench/loaded_library.h"

namespace rumcask::bench {
namespace {

MDB_val ValueOf(std::string_view text) {
  // LMDB does not write to the bytes.
  return {text.size(), const_cast<char*>(text.data())};
}

std::string_view TextOf(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

absl::Status StatusOf(int error) {
  if (error == MDB_SUCCESS) return absl::OkStatus();
  if (error == MDB_NOTFOUND) return absl::NotFoundError("");
  return absl::InternalError(absl::StrFormat("LMDB: %s", ::mdb_strerror(error)));
}

// The read transaction of a thread, which is renewed for each read instead of made anew.
class ReadTransaction {
 public:
  ~ReadTransaction() { Abort(); }

  int Begin(MDB_env* env, MDB_txn** transaction) {
    int error;
    if (env == env_) {
      error = ::mdb_txn_renew(transaction_);
    } else {
      Abort();
      error = ::mdb_txn_begin(env, nullptr, MDB_RDONLY, &transaction_);
      if (error == MDB_SUCCESS) env_ = env;
    }
    *transaction = transaction_;
    return error;
  }

  void End() { ::mdb_txn_reset(transaction_); }

  void Abort() {
    if (env_ != nullptr) ::mdb_txn_abort(transaction_);
    env_ = nullptr;
  }

 private:
  MDB_env* env_ = nullptr;
  MDB_txn* transaction_ = nullptr;
};

thread_local ReadTransaction read_transaction;

class LmdbCursor : public EngineCursor {
 public:
  LmdbCursor(MDB_txn* transaction, MDB_cursor* cursor)
      : transaction_(transaction), cursor_(cursor) {}
  ~LmdbCursor() override {
    ::mdb_cursor_close(cursor_);
    ::mdb_txn_abort(transaction_);
  }

  absl::Status SeekToFirst() override { return Move(MDB_FIRST); }
  absl::Status Seek(std::string_view key) override {
    key_ = ValueOf(key);
    return Move(MDB_SET_RANGE);
  }
  bool Valid() const override { return valid_; }
  void Next() override { (void)Move(MDB_NEXT); }
  std::string_view key() const override { return TextOf(key_); }
  std::string_view value() const override { return TextOf(value_); }
  absl::Status status() const override { return status_; }

 private:
  absl::Status Move(MDB_cursor_op operation) {
    const int error = ::mdb_cursor_get(cursor_, &key_, &value_, operation);
    valid_ = error == MDB_SUCCESS;
    if (error != MDB_NOTFOUND) status_ = StatusOf(error);
    return status_;
  }

  MDB_txn* const transaction_;
  MDB_cursor* const cursor_;
  MDB_val key_ = {};
  MDB_val value_ = {};
  bool valid_ = false;
  absl::Status status_;
};

class LmdbStore : public Engine {
 public:
  static absl::StatusOr<std::unique_ptr<Engine>> Open(const EngineSettings& settings) {
    auto store = std::make_unique<LmdbStore>();
    absl::Status status = StatusOf(store->Start(settings));
    if (!status.ok()) return status;
    return store;
  }

  ~LmdbStore() override { (void)Close(); }

  absl::Status Get(std::string_view key, std::string* value) override {
    MDB_txn* transaction;
    int error = read_transaction.Begin(env_, &transaction);
    if (error != MDB_SUCCESS) return StatusOf(error);
    error = Read(transaction, key, value);
    read_transaction.End();
    return StatusOf(error);
  }

  absl::Status MultiGet(absl::Span<const std::string_view> keys, std::vector<std::string>* values,
                        uint64_t* found) override {
    // LMDB has no such call; one transaction for all keys comes closest.
    values->resize(keys.size());
    MDB_txn* transaction;
    int error = read_transaction.Begin(env_, &transaction);
    if (error != MDB_SUCCESS) return StatusOf(error);
    for (size_t i = 0; i < keys.size(); ++i) {
      error = Read(transaction, keys[i], &(*values)[i]);
      if (error == MDB_SUCCESS) {
        ++*found;
      } else if (error != MDB_NOTFOUND) {
        break;
      }
    }
    read_transaction.End();
    return error == MDB_NOTFOUND ? absl::OkStatus() : StatusOf(error);
  }

  absl::Status Put(std::string_view key, std::string_view value, bool sync) override {
    const std::pair<std::string_view, std::string_view> entry(key, value);
    return Write({&entry, 1}, sync);
  }

  absl::Status Write(absl::Span<const std::pair<std::string_view, std::string_view>> entries,
                     bool sync) override {
    return Change(sync, [&](MDB_txn* transaction) {
      for (const auto& [key, value] : entries) {
        MDB_val mdb_key = ValueOf(key);
        MDB_val mdb_value = ValueOf(value);
        const int error = ::mdb_put(transaction, dbi_, &mdb_key, &mdb_value, 0);
        if (error != MDB_SUCCESS) return error;
      }
      return MDB_SUCCESS;
    });
  }

  absl::Status Delete(std::string_view key, bool sync) override {
    return Change(sync, [&](MDB_txn* transaction) {
      MDB_val mdb_key = ValueOf(key);
      const int error = ::mdb_del(transaction, dbi_, &mdb_key, nullptr);
      return error == MDB_NOTFOUND ? MDB_SUCCESS : error;
    });
  }

  absl::StatusOr<std::unique_ptr<EngineCursor>> NewCursor() override {
    MDB_txn* transaction;
    int error = ::mdb_txn_begin(env_, nullptr, MDB_RDONLY, &transaction);
    if (error != MDB_SUCCESS) return StatusOf(error);
    MDB_cursor* cursor;
    error = ::mdb_cursor_open(transaction, dbi_, &cursor);
    if (error != MDB_SUCCESS) {
      ::mdb_txn_abort(transaction);
      return StatusOf(error);
    }
    return std::make_unique<LmdbCursor>(transaction, cursor);
  }

  absl::Status Sync() override { return StatusOf(::mdb_env_sync(env_, 1)); }
  absl::Status Compact() override {
    return absl::UnimplementedError("it reuses free pages, but does not give them back");
  }

  absl::Status Close() override {
    if (env_ == nullptr) return absl::OkStatus();
    read_transaction.Abort();
    // For the other stores, closing includes a sync.
    const absl::Status status = Sync();
    ::mdb_env_close(env_);
    env_ = nullptr;
    return status;
  }

 private:
  int Start(const EngineSettings& settings) {
    int error = ::mdb_env_create(&env_);
    if (error != MDB_SUCCESS) return error;
    // At worst, pages are half full, and the pages of large values are rounded up.
    const uint64_t map_bytes =
        (uint64_t{1} << 30) + 4 * settings.expected_bytes + 4096 * settings.expected_keys;
    error = ::mdb_env_set_mapsize(env_, map_bytes / 4096 * 4096);
    if (error == MDB_SUCCESS) {
      error =
          ::mdb_env_open(env_, settings.path.c_str(), MDB_NOSYNC | MDB_NORDAHEAD | MDB_NOTLS, 0600);
    }
    if (error != MDB_SUCCESS) return error;
    MDB_txn* transaction;
    error = ::mdb_txn_begin(env_, nullptr, 0, &transaction);
    if (error != MDB_SUCCESS) return error;
    error = ::mdb_dbi_open(transaction, nullptr, 0, &dbi_);
    if (error != MDB_SUCCESS) {
      ::mdb_txn_abort(transaction);
      return error;
    }
    return ::mdb_txn_commit(transaction);
  }

  int Read(MDB_txn* transaction, std::string_view key, std::string* value) const {
    MDB_val mdb_key = ValueOf(key);
    MDB_val mdb_value;
    const int error = ::mdb_get(transaction, dbi_, &mdb_key, &mdb_value);
    if (error == MDB_SUCCESS) value->assign(TextOf(mdb_value));
    return error;
  }

  template <typename Body>
  absl::Status Change(bool sync, const Body& body) {
    // LMDB would take its own lock for the same time. With this lock, the flag applies to this
    // transaction only.
    const std::lock_guard<std::mutex> lock(mutex_);
    if (sync != synced_) {
      const int error = ::mdb_env_set_flags(env_, MDB_NOSYNC, sync ? 0 : 1);
      if (error != MDB_SUCCESS) return StatusOf(error);
      synced_ = sync;
    }
    MDB_txn* transaction;
    int error = ::mdb_txn_begin(env_, nullptr, 0, &transaction);
    if (error != MDB_SUCCESS) return StatusOf(error);
    error = body(transaction);
    if (error != MDB_SUCCESS) {
      ::mdb_txn_abort(transaction);
      return StatusOf(error);
    }
    return StatusOf(::mdb_txn_commit(transaction));
  }

  MDB_env* env_ = nullptr;
  MDB_dbi dbi_ = 0;
  std::mutex mutex_;
  bool synced_ = false;
};

}  // namespace

EngineType LmdbEngine() {
  EngineType type;
  type.name = "lmdb";
  type.library =
      absl::StrFormat("LMDB %d.%d.%d", MDB_VERSION_MAJOR, MDB_VERSION_MINOR, MDB_VERSION_PATCH);
  type.assertions = AssertionsOf("liblmdb.so");
  type.options = [](const EngineSettings&) {
    return std::string(
        "one transaction per write or batch, NOSYNC unless synced, no WRITEMAP, NORDAHEAD, NOTLS, "
        "read "
        "transactions renewed");
  };
  type.durability = "pages are written when put returns, in no order that a power cut respects";
  type.ordered = true;
  type.open = LmdbStore::Open;
  return type;
}

}  // namespace rumcask::bench
