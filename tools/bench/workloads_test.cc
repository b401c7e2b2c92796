#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "tools/bench/db_bench.h"
#include "tools/bench/key_format.h"
#include "tools/bench/operation_stream.h"
#include "tools/bench/value_sizes.h"
#include "tools/bench/ycsb.h"

namespace rumcask::bench {
namespace {

TEST(KeyFormatTest, OrderedLikeNumbers) {
  const KeyFormat format(16, /*hashed=*/false);
  std::string key;
  std::string before;
  for (const uint64_t number : {0u, 1u, 9u, 10u, 15u, 16u, 255u, 4096u, 1000000u}) {
    format.Write(number, &key);
    EXPECT_EQ(key.size(), 16);
    EXPECT_LT(before, key);
    before = key;
  }
  EXPECT_EQ(key, "00000000000f4240");
}

TEST(KeyFormatTest, SizesAndCapacity) {
  std::string key;
  KeyFormat(4, false).Write(0xbeef, &key);
  EXPECT_EQ(key, "beef");
  EXPECT_EQ(KeyFormat::Capacity(4), 65536);
  KeyFormat(20, false).Write(0xbeef, &key);
  EXPECT_EQ(key, "000000000000beef0000");
  EXPECT_EQ(KeyFormat::Capacity(20), UINT64_MAX);
  // The string was longer and had other bytes before.
  KeyFormat(4, false).Write(1, &key);
  EXPECT_EQ(key, "0001");
  KeyFormat(4, false).WriteMissing(1, &key);
  EXPECT_EQ(key, "0001.");
  KeyFormat(20, false).Write(1, &key);
  EXPECT_EQ(key, "00000000000000010000");
}

TEST(KeyFormatTest, HashedKeysDiffer) {
  for (const size_t size : {4, 5, 16}) {
    const KeyFormat format(size, /*hashed=*/true);
    std::set<std::string> keys;
    std::string key;
    for (uint64_t number = 0; number < 65536; ++number) {
      format.Write(number, &key);
      ASSERT_EQ(key.size(), size);
      ASSERT_TRUE(keys.insert(key).second) << number;
    }
  }
}

TEST(ValueSizesTest, Distributions) {
  struct Case {
    const char* text;
    double mean;
    uint64_t min;
    uint64_t max;
  };
  for (const Case& c : {Case{"100", 100, 100, 100}, Case{"fixed:0", 0, 0, 0},
                        Case{"uniform:10-30", 20, 10, 30}, Case{"normal:1000,100", 1000, 0, 1600},
                        // scale / (1 - shape), minus the half byte that is cut off.
                        Case{"pareto:0.2615,25.45", 33.96, 1, 1 << 20}}) {
    const absl::StatusOr<ValueSizes> sizes = ValueSizes::Parse(c.text);
    ASSERT_TRUE(sizes.ok()) << sizes.status();
    EXPECT_EQ(sizes->Longest(), c.max) << c.text;
    Random random(4);
    double sum = 0;
    constexpr int kDraws = 200000;
    for (int i = 0; i < kDraws; ++i) {
      const uint64_t size = sizes->Next(&random);
      ASSERT_GE(size, c.min) << c.text;
      ASSERT_LE(size, c.max) << c.text;
      sum += static_cast<double>(size);
    }
    EXPECT_NEAR(sum / kDraws, c.mean, 0.02 * c.mean) << c.text;
    const absl::StatusOr<ValueSizes> again = ValueSizes::Parse(sizes->ToString());
    ASSERT_TRUE(again.ok()) << sizes->ToString();
    EXPECT_EQ(again->ToString(), sizes->ToString());
  }
}

TEST(ValueSizesTest, Wrong) {
  for (const char* text : {"", "x", "-1", "100000000000", "uniform:", "uniform:5", "uniform:9-3",
                           "normal:1", "normal:-1,2", "pareto:0,5", "zipf:1,2", "fixed:1.5"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ValueSizes::Parse(text).status())) << text;
  }
}

TEST(ValueBytesTest, PiecesDiffer) {
  ValueBytes bytes(1, 100);
  const std::string first(bytes.Next(100));
  EXPECT_EQ(first.size(), 100);
  EXPECT_NE(bytes.Next(100), first);
  // Continues past the end of the available bytes many times.
  for (int i = 0; i < 100000; ++i) ASSERT_EQ(bytes.Next(100).size(), 100);
  bytes.Restart();
  EXPECT_EQ(bytes.Next(100), first);
}

std::vector<Operation> Operations(const Workload& workload, uint64_t seed, int thread, int threads,
                                  uint64_t* work = nullptr) {
  OperationStream stream(workload, ValueSizes(100), seed, thread, threads);
  std::vector<Operation> operations;
  Operation operation;
  while (stream.Next(&operation)) operations.push_back(operation);
  EXPECT_EQ(operations.size(), stream.length());
  EXPECT_EQ(operations.size(), stream.taken());
  if (work != nullptr) *work = stream.work();
  return operations;
}

Workload Named(const std::string& name, const DbBenchSettings& settings) {
  absl::StatusOr<std::vector<Workload>> workloads = DbBenchWorkloads(name, settings);
  EXPECT_TRUE(workloads.ok()) << workloads.status();
  return workloads->front();
}

TEST(DbBenchTest, EveryNameMeansSomething) {
  DbBenchSettings settings;
  settings.num = 5000;
  settings.reads = 700;
  settings.batch_size = 10;
  std::map<std::string, Workload> workloads;
  for (const std::string& name : DbBenchNames()) {
    workloads[name] = Named(name, settings);
    EXPECT_EQ(workloads[name].name, name);
    EXPECT_EQ(workloads[name].keys, 5000) << name;
  }
  EXPECT_EQ(workloads["openunclean"].action, Workload::Action::kOpenUnclean);
  EXPECT_EQ(workloads["openunclean"].operations, 500);
  EXPECT_TRUE(workloads["openunclean"].Writes());
  for (const char* name :
       {"fillseq", "fillbatch", "fillrandom", "filluniquerandom", "overwrite", "deleterandom"}) {
    EXPECT_EQ(workloads[name].operations, 5000) << name;
    EXPECT_TRUE(workloads[name].Writes()) << name;
  }
  for (const char* name :
       {"readrandom", "readmissing", "multireadrandom", "readseq", "seekrandom"}) {
    EXPECT_EQ(workloads[name].operations, 700) << name;
    EXPECT_FALSE(workloads[name].Writes()) << name;
    EXPECT_FALSE(workloads[name].fresh) << name;
  }
  EXPECT_TRUE(workloads["fillseq"].fresh);
  EXPECT_FALSE(workloads["overwrite"].fresh);
  EXPECT_EQ(workloads["fillbatch"].batch, 10);
  EXPECT_EQ(workloads["multireadrandom"].batch, 10);
  EXPECT_EQ(workloads["fillsync"].operations, 5);
  EXPECT_TRUE(workloads["fillsync"].sync);
  EXPECT_TRUE(workloads["readwhilewriting"].writer_beside);
  EXPECT_TRUE(workloads["churn"].counts_written);
  EXPECT_TRUE(workloads["churn"].Writes());
  EXPECT_FALSE(workloads["churn"].fresh);
  EXPECT_EQ(workloads["churn"].operations, 700);
  EXPECT_FALSE(workloads["overwrite"].counts_written);
  EXPECT_EQ(workloads["queue"].action, Workload::Action::kQueue);
  EXPECT_EQ(workloads["queue"].operations, 700);
  EXPECT_TRUE(workloads["queue"].fresh);
  EXPECT_TRUE(workloads["queue"].Writes());

  settings.use_existing_db = true;
  EXPECT_FALSE(Named("fillseq", settings).fresh);
  settings.reads.reset();
  EXPECT_EQ(Named("churn", settings).operations, 20000);
}

TEST(DbBenchTest, UnknownNames) {
  const absl::Status status = DbBenchWorkloads("fillseq,readrandum", {}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_NE(std::string(status.message()).find("'readrandum'; there are: fillseq"),
            std::string::npos)
      << status;
  EXPECT_TRUE(absl::IsInvalidArgument(DbBenchWorkloads(",", {}).status()));
}

TEST(OperationStreamTest, SameSeedSameOperations) {
  DbBenchSettings settings;
  settings.num = 3000;
  std::set<uint64_t> digests;
  for (const char* name : {"fillrandom", "filluniquerandom", "deleterandom", "readrandom"}) {
    uint64_t work = 0;
    uint64_t again = 0;
    uint64_t other = 0;
    const std::vector<Operation> operations = Operations(Named(name, settings), 1, 0, 2, &work);
    const std::vector<Operation> repeated = Operations(Named(name, settings), 1, 0, 2, &again);
    ASSERT_EQ(operations.size(), repeated.size());
    for (size_t i = 0; i < operations.size(); ++i) {
      EXPECT_EQ(operations[i].number, repeated[i].number);
      EXPECT_EQ(operations[i].size, repeated[i].size);
    }
    EXPECT_EQ(work, again) << name;
    (void)Operations(Named(name, settings), 2, 0, 2, &other);
    EXPECT_NE(work, other) << name;
    EXPECT_TRUE(digests.insert(work).second) << name;
  }
}

TEST(OperationStreamTest, ThreadsShareTheWork) {
  DbBenchSettings settings;
  settings.num = 1000;
  for (const char* name : {"fillseq", "filluniquerandom"}) {
    std::set<uint64_t> numbers;
    for (int thread = 0; thread < 3; ++thread) {
      for (const Operation& operation : Operations(Named(name, settings), 1, thread, 3)) {
        EXPECT_EQ(operation.kind, OperationKind::kUpdate);
        EXPECT_TRUE(numbers.insert(operation.number).second) << operation.number;
      }
    }
    EXPECT_EQ(numbers.size(), 1000);
    EXPECT_EQ(*numbers.rbegin(), 999);
  }
}

TEST(YcsbTest, CoreWorkloadsHaveTheirMixes) {
  struct Case {
    const char* letter;
    std::map<OperationKind, double> shares;
  };
  using K = OperationKind;
  for (const Case& c :
       {Case{"a", {{K::kRead, 0.5}, {K::kUpdate, 0.5}}},
        Case{"b", {{K::kRead, 0.95}, {K::kUpdate, 0.05}}}, Case{"c", {{K::kRead, 1}}},
        Case{"d", {{K::kRead, 0.95}, {K::kInsert, 0.05}}},
        Case{"e", {{K::kScan, 0.95}, {K::kInsert, 0.05}}},
        Case{"f", {{K::kRead, 0.5}, {K::kReadModifyWrite, 0.5}}}}) {
    absl::StatusOr<YcsbProperties> properties = YcsbProperties::OfWorkload(c.letter);
    ASSERT_TRUE(properties.ok()) << properties.status();
    ASSERT_TRUE(properties->SetPair("operationcount=100000").ok());
    ASSERT_TRUE(properties->SetPair(" recordcount = 5000 ").ok());
    const absl::StatusOr<Workload> workload = properties->RunPhase();
    ASSERT_TRUE(workload.ok()) << workload.status();
    EXPECT_EQ(workload->name, c.letter);
    EXPECT_EQ(workload->keys, 5000);
    std::map<OperationKind, double> shares;
    for (const Operation& operation : Operations(*workload, 1, 0, 1)) {
      shares[operation.kind] += 1.0 / 100000;
      if (operation.kind == K::kScan) {
        EXPECT_GE(operation.size, 1);
        EXPECT_LE(operation.size, 100);
      }
    }
    EXPECT_EQ(shares.size(), c.shares.size()) << c.letter;
    for (const auto& [kind, share] : c.shares) EXPECT_NEAR(shares[kind], share, 0.01) << c.letter;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(YcsbProperties::OfWorkload("g").status()));
}

TEST(YcsbTest, LatestReadsWhatWasInserted) {
  absl::StatusOr<YcsbProperties> properties = YcsbProperties::OfWorkload("d");
  ASSERT_TRUE(properties.ok());
  ASSERT_TRUE(properties->SetPair("operationcount=20000").ok());
  ASSERT_TRUE(properties->SetPair("recordcount=100").ok());
  const absl::StatusOr<Workload> workload = properties->RunPhase();
  ASSERT_TRUE(workload.ok()) << workload.status();
  for (int thread = 0; thread < 2; ++thread) {
    std::set<uint64_t> known;
    for (uint64_t number = 0; number < 100; ++number) known.insert(number);
    uint64_t newest = 0;
    uint64_t of_newest = 0;
    for (const Operation& operation : Operations(*workload, 1, thread, 2)) {
      if (operation.kind == OperationKind::kInsert) {
        EXPECT_EQ(operation.number % 2, static_cast<uint64_t>(thread));
        EXPECT_TRUE(known.insert(operation.number).second);
        newest = operation.number;
      } else {
        ASSERT_EQ(known.count(operation.number), 1) << operation.number;
        if (operation.number == newest) ++of_newest;
      }
    }
    // The most popular of 100 to 600 items has a share of 14 to 19 %.
    EXPECT_NEAR(static_cast<double>(of_newest) / 9500, 0.155, 0.03);
  }
}

TEST(YcsbTest, Files) {
  absl::StatusOr<YcsbProperties> properties = YcsbProperties::OfWorkload("a");
  ASSERT_TRUE(properties.ok());
  ASSERT_TRUE(properties
                  ->SetAll("workloada",
                           "# Yahoo! Cloud System Benchmark\n\nrecordcount=77\noperationcount=9\n"
                           "workload=site.ycsb.workloads.CoreWorkload\nreadallfields=true\n"
                           "readproportion=0.25\nupdateproportion=0.75\r\n"
                           "requestdistribution=uniform\nfieldcount=4\nfieldlength=25\n"
                           "insertorder=ordered\nthreadcount=3\nmaxexecutiontime=2\n")
                  .ok());
  const absl::StatusOr<Workload> run = properties->RunPhase();
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->reads, 0.25);
  EXPECT_EQ(run->updates, 0.75);
  EXPECT_EQ(run->order, KeyOrder::kUniform);
  EXPECT_EQ(run->operations, 9);
  EXPECT_EQ(run->seconds, 2);
  EXPECT_FALSE(run->hashed_keys);
  EXPECT_EQ(properties->RecordBytes().value(), 100);
  EXPECT_EQ(properties->ThreadCount().value(), 3);
  const absl::StatusOr<Workload> load = properties->LoadPhase();
  ASSERT_TRUE(load.ok()) << load.status();
  EXPECT_EQ(load->operations, 77);
  EXPECT_TRUE(load->fresh);
}

TEST(YcsbTest, Wrong) {
  const auto run = [](const std::string& pair) {
    absl::StatusOr<YcsbProperties> properties = YcsbProperties::OfWorkload("a");
    EXPECT_TRUE(properties.ok());
    absl::Status status = properties->SetPair(pair);
    if (status.ok()) status = properties->RunPhase().status();
    if (status.ok()) status = properties->RecordBytes().status();
    return std::string(status.message());
  };
  EXPECT_EQ(run("readproportion=0.6"), "the proportions add up to 1.1, not 1");
  EXPECT_EQ(run("readproportion=half"), "readproportion: 'half' is no share from 0 to 1");
  EXPECT_EQ(run("recordcount=0"), "recordcount: must not be 0");
  EXPECT_EQ(run("recordcount=-1"), "recordcount: '-1' is no number from 0 on");
  EXPECT_EQ(run("requestdistribution=hotspot"),
            "requestdistribution: 'hotspot' is none of uniform, zipfian, latest, sequential");
  EXPECT_EQ(run("scanlengthdistribution=uniform"), "");
  EXPECT_EQ(run("scanlengthdistribution=zipfian"),
            "scanlengthdistribution: 'zipfian' is none of uniform");
  EXPECT_EQ(run("readpropotion=1"), "unknown property 'readpropotion'");
  EXPECT_EQ(run("readproportion"), "'readproportion' is not name=value");
  EXPECT_EQ(run("zipfianconstant=1"), "zipfianconstant: must be above 0 and below 1");
  EXPECT_EQ(run("minscanlength=2000"), "minscanlength is more than maxscanlength");
  EXPECT_EQ(run("fieldlength=100000000"), "fieldcount x fieldlength is more than 67108864 bytes");
  absl::StatusOr<YcsbProperties> properties = YcsbProperties::OfWorkload("a");
  EXPECT_EQ(properties->SetAll("f", "recordcount=5\n\nx=1\n").message(),
            "f:3: unknown property 'x'");
}

}  // namespace
}  // namespace rumcask::bench
