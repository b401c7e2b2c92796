#include "core/readahead.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"

#include "core/log/segment.h"
#include "core/system/file_system.h"

namespace rumcask {

namespace {

constexpr uint64_t kStretch = Readahead::kStretch;
constexpr uint64_t kSegmentBytes = 4 * kStretch;

// Remembers what is asked of it.
class AskedRegion : public MappedRegion {
 public:
  explicit AskedRegion(std::string* bytes)
      : MappedRegion(bytes->data(), bytes->size(), /*observed=*/false) {}
  void Populate(uint64_t, size_t) override {}
  absl::Status ProtectReadOnly() override { return absl::OkStatus(); }
  void Prefetch(uint64_t offset, size_t length) override { asked.emplace_back(offset, length); }

  std::vector<std::pair<uint64_t, size_t>> asked;
};

class ReadaheadTest : public testing::Test {
 protected:
  ReadaheadTest() {
    for (uint32_t slot = 0; slot < 2; ++slot) {
      segments_.push_back(std::make_shared<Segment>(slot + 1, slot, Stream::kUser, 0));
      regions_.push_back(std::make_shared<AskedRegion>(&bytes_));
      segments_[slot]->ReadFrom(regions_[slot], nullptr);
      segments_[slot]->set_end(kSegmentBytes - 100);
    }
  }

  void Read(uint32_t slot, uint64_t offset) {
    readahead_.ReadSurroundings(*segments_[slot], offset);
  }

  std::string bytes_ = std::string(kSegmentBytes, 'x');
  std::vector<std::shared_ptr<Segment>> segments_;
  std::vector<std::shared_ptr<AskedRegion>> regions_;
  Readahead readahead_;
};

using Asked = std::vector<std::pair<uint64_t, size_t>>;

TEST_F(ReadaheadTest, EachStretchIsAskedForOnce) {
  for (const uint64_t offset : {2 * kStretch + 640, uint64_t{4096}, 2 * kStretch, uint64_t{640}}) {
    Read(0, offset);
  }
  EXPECT_EQ(regions_[0]->asked, (Asked{{2 * kStretch, kStretch}, {0, kStretch}}));
  EXPECT_EQ(regions_[1]->asked, Asked());
  Read(1, 640);
  EXPECT_EQ(regions_[1]->asked, (Asked{{0, kStretch}}));
}

TEST_F(ReadaheadTest, NothingIsAskedForBehindTheEnd) {
  Read(0, 3 * kStretch + 640);
  EXPECT_EQ(regions_[0]->asked, (Asked{{3 * kStretch, kStretch - 100}}));
}

}  // namespace
}  // namespace rumcask
