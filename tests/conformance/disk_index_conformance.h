// Tests of the contract of core/plugin/disk_index.h, for any index on disk. Public, for tests.
//
// A plugin's own test names its factory and depends on //tests:disk_index_conformance:
//
//   #include "rumcask/disk_index_conformance.h"
//
//   INSTANTIATE_TEST_SUITE_P(Mine, DiskIndexConformance,
//                            testing::Values(DiskIndexUnderTest(MyKeystore())));
//
// in namespace rumcask. Run it under ThreadSanitizer and AddressSanitizer as well.

#ifndef RUMCASK_TESTS_CONFORMANCE_DISK_INDEX_CONFORMANCE_H_
#define RUMCASK_TESTS_CONFORMANCE_DISK_INDEX_CONFORMANCE_H_

#include "rumcask/require_cxx17.h"

#include <ostream>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "rumcask/keystore.h"

namespace rumcask {

struct DiskIndexUnderTest {
  explicit DiskIndexUnderTest(KeystoreFactory f) : factory(std::move(f)) {}

  KeystoreFactory factory;
};

inline std::ostream& operator<<(std::ostream& out, const DiskIndexUnderTest& tested) {
  return out << tested.factory.traits.name;
}

// Each test has an empty directory.
class DiskIndexConformance : public testing::TestWithParam<DiskIndexUnderTest> {
 protected:
  void SetUp() override;
  void TearDown() override;

  const KeystoreFactory& factory() const { return GetParam().factory; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CONFORMANCE_DISK_INDEX_CONFORMANCE_H_
