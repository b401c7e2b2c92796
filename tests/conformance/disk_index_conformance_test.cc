// The indexes on disk of this project against the contract.

#include "tests/conformance/disk_index_conformance.h"

#include "gtest/gtest.h"

#include "keystores/lmdb/lmdb_keystore.h"
#include "keystores/rocksdb/rocksdb_keystore.h"

namespace rumcask {
namespace {

// Writes files and reads them again all the time.
RocksdbOptions Small() {
  RocksdbOptions options;
  options.write_buffer_bytes = 64 << 10;
  options.block_cache_bytes = 64 << 10;
  options.bloom_bits_per_key = 0;
  return options;
}

INSTANTIATE_TEST_SUITE_P(Lmdb, DiskIndexConformance,
                         testing::Values(DiskIndexUnderTest(LmdbKeystore())));
INSTANTIATE_TEST_SUITE_P(Rocksdb, DiskIndexConformance,
                         testing::Values(DiskIndexUnderTest(RocksdbKeystore())));
INSTANTIATE_TEST_SUITE_P(SmallRocksdb, DiskIndexConformance,
                         testing::Values(DiskIndexUnderTest(RocksdbKeystore(Small()))));

}  // namespace
}  // namespace rumcask
