// Tests the indexes on disk of this project against the contract.

#include "tests/conformance/disk_index_conformance.h"

#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "keystores/by_name.h"
#include "keystores/rocksdb/rocksdb_keystore.h"

namespace rumcask {
namespace {

// Options with which RocksDB writes and reads files all the time.
RocksdbOptions Small() {
  RocksdbOptions options;
  options.write_buffer_bytes = 64 << 10;
  options.block_cache_bytes = 64 << 10;
  options.bloom_bits_per_key = 0;
  return options;
}

std::vector<DiskIndexUnderTest> OnDisk() {
  std::vector<DiskIndexUnderTest> all;
  for (const std::string& name : KeystoreNames()) {
    KeystoreFactory factory = KeystoreByName(name).value();
    if (factory.traits.persistent) all.emplace_back(std::move(factory));
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Keystores, DiskIndexConformance, testing::ValuesIn(OnDisk()),
                         [](const auto& tested) { return tested.param.factory.traits.name; });
INSTANTIATE_TEST_SUITE_P(SmallRocksdb, DiskIndexConformance,
                         testing::Values(DiskIndexUnderTest(RocksdbKeystore(Small()))));

}  // namespace
}  // namespace rumcask
