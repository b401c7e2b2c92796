#include "tools/cli/csv_format.h"

#include <sys/resource.h>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tools/cli/line_reader.h"
#include "tools/cli/output.h"
#include "tools/cli/reading.h"

namespace rumcask::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

Reading ReadCsv(std::string_view content, const CsvOptions& options = {}) {
  const TemporaryFile file(content);
  LineReader lines(file.fd());
  CsvReader reader(options, &lines);
  return ReadAll(&reader, lines);
}

CsvOptions WithHeader() {
  CsvOptions options;
  options.header = true;
  return options;
}

// The columns as the user gives them.
CsvOptions Choosing(std::string_view key, std::string_view value, bool header) {
  CsvOptions options;
  options.header = header;
  if (!key.empty()) options.key = *ParseCsvColumn(key);
  if (!value.empty()) options.value = *ParseCsvColumn(value);
  return options;
}

TEST(CsvReader, ReadsWhatRfc4180Has) {
  const Reading reading = ReadCsv(
      "a,1\r\nb, two \n\"c\",\"quotes \"\"\"\" and, commas\"\r\n\"d\",\"lines\n\r\nand\r CR\"\n"
      "e,\nf,\"\"\n\"g\n\",1");
  EXPECT_TRUE(reading.status.ok()) << reading.status;
  EXPECT_THAT(reading.records,
              ElementsAre(Pair("a", "1"), Pair("b", " two "), Pair("c", "quotes \"\" and, commas"),
                          Pair("d", "lines\n\r\nand\r CR"), Pair("e", ""), Pair("f", ""),
                          Pair("g\n", "1")));
  EXPECT_EQ(reading.line_number, 10);
}

TEST(CsvReader, LeavesOutBlankLinesAndTheHeader) {
  EXPECT_THAT(ReadCsv("").records, IsEmpty());
  EXPECT_THAT(ReadCsv("\n\r\na,1\n\nb,\"\n\n\"\n\n").records,
              ElementsAre(Pair("a", "1"), Pair("b", "\n\n")));
  EXPECT_THAT(ReadCsv("\nkey,\"value\nof it\"\na,1\n", WithHeader()).records,
              ElementsAre(Pair("a", "1")));
  EXPECT_THAT(ReadCsv("\xef\xbb\xbf\"key\",value\na,1\n", WithHeader()).records,
              ElementsAre(Pair("a", "1")));
  EXPECT_THAT(ReadCsv("", WithHeader()).records, IsEmpty());
}

TEST(CsvReader, TakesOtherSeparatorsAndHexadecimal) {
  CsvOptions options;
  options.separator = '\t';
  EXPECT_THAT(ReadCsv("\ta\n", options).message(), HasSubstr("the key is empty"));
  EXPECT_THAT(ReadCsv("a,b\t \"\"\n", options).message(), HasSubstr("has a quote"));
  EXPECT_THAT(ReadCsv("a,b\t\"1\t2\"\n", options).records, ElementsAre(Pair("a,b", "1\t2")));
  options.separator = ';';
  options.hex = true;
  EXPECT_THAT(ReadCsv("61;\"00\"\n", options).records,
              ElementsAre(Pair("a", std::string(1, '\0'))));
  EXPECT_THAT(ReadCsv("61;0\n", options).message(), HasSubstr("the value is not hexadecimal"));
}

TEST(CsvReader, NamesWhatIsWrong) {
  const std::string odd_quote = "a field has a quote and does not begin with one";
  const std::string no_end = "something follows the quote that ends a field";
  const struct {
    std::string content;
    uint64_t line;
    std::string cause;
  } cases[] = {
      {"a,1\nb,2\"\n", 2, odd_quote},
      {"a,1\nb, \"2\"\n", 2, odd_quote},
      {"a,\"1\"2\n", 1, no_end},
      {"a,\"1\" \n", 1, no_end},
      {"a,\"1\nb,\"2\n", 2, no_end},
      {"a,\"1\nb,2\n", 2, "the input ends within quotes; the record begins in line 1"},
      {"a,\"1", 1, "the input ends within quotes"},
      {"a\n", 1, "the record has 1 column, not a key and a value"},
      {"a,b,c\n", 1, "the record has 3 columns, not a key and a value"},
      {"\"a\nb\"\n", 2, "the record has 1 column, not a key and a value"},
      {",b\n", 1, "the key is empty"},
      {"\"\",b\n", 1, "the key is empty"},
      {"a\r,b\n", 1, "neither in quotes nor at its end"},
      {"\ra,b\n", 1, "neither in quotes nor at its end"},
      {"a,b\r\r\n", 1, "neither in quotes nor at its end"},
      {"\"a\"\r\"b,c\n", 1, "neither in quotes nor at its end"},
      {"\xef\xbb\xbf"
       "a,b\n",
       1, "byte-order mark"},
      {std::string("\xff\xfe"
                   "a\0,\0",
                   6),
       1, "UTF-16"},
      {std::string(65536, 'k') + ",v\n", 1, "the key is longer than 65535 bytes"},
  };
  for (const auto& c : cases) {
    const Reading reading = ReadCsv(c.content);
    EXPECT_TRUE(absl::IsInvalidArgument(reading.status)) << c.content;
    EXPECT_THAT(reading.message(), HasSubstr(c.cause)) << c.content;
    EXPECT_EQ(reading.line_number, c.line) << c.content;
  }
  EXPECT_THAT(ReadCsv("a,\"1\nb,\"2\n").message(), EndsWith("; the record begins in line 1"));
}

TEST(CsvReader, ChoosesColumns) {
  const std::string people = "id,name,\"home\ntown\"\n1,Ada,London\n2,Bo,\n";
  EXPECT_THAT(ReadCsv(people, Choosing("2", "3", true)).records,
              ElementsAre(Pair("Ada", "London"), Pair("Bo", "")));
  EXPECT_THAT(ReadCsv(people, Choosing("name", "id", true)).records,
              ElementsAre(Pair("Ada", "1"), Pair("Bo", "2")));
  EXPECT_THAT(ReadCsv("\xef\xbb\xbf" + people, Choosing("id", "id", true)).records,
              ElementsAre(Pair("1", "1"), Pair("2", "2")));
  EXPECT_EQ(ReadCsv(people, Choosing("", "id", true)).message(),
            "column 1 is the key and the value; give --key-column as well");
  EXPECT_EQ(ReadCsv(people, Choosing("2", "", false)).message(),
            "column 2 is the key and the value; give --value-column as well");
  EXPECT_THAT(ReadCsv("a,b,c\n", Choosing("3", "", false)).records, ElementsAre(Pair("c", "b")));
  EXPECT_EQ(ReadCsv(people, Choosing("town", "", true)).message(),
            "the header has no column 'town'");
  EXPECT_EQ(ReadCsv("", Choosing("town", "", true)).message(), "the header has no column 'town'");
  EXPECT_THAT(ReadCsv("id,a,a\n1,2,3\n", Choosing("id", "a", true)).message(),
              HasSubstr("several columns 'a'"));
  EXPECT_EQ(ReadCsv(people, Choosing("4", "", true)).message(),
            "the record has 3 columns, and no column 4; the record begins in line 1");
  EXPECT_EQ(ReadCsv("a,b,c\nd,e\n", Choosing("1", "2", false)).message(),
            "the record has 2 columns, and the first one has 3");
  EXPECT_EQ(ReadCsv("a,b,c\nd,e,f,g\n", Choosing("1", "2", false)).line_number, 2);
  EXPECT_THAT(ReadCsv(people, WithHeader()).message(), HasSubstr("--value-column"));
}

TEST(CsvReader, ColumnsAndSeparatorsAreChecked) {
  EXPECT_FALSE(ParseCsvColumn("0").ok());
  EXPECT_FALSE(ParseCsvColumn("99999999999999999999").ok());
  EXPECT_EQ(ParseCsvColumn("-1")->name, "-1");
  EXPECT_EQ(*ParseCsvSeparator("\\t", false), '\t');
  for (const std::string_view separator : {"", "\"", "\r", "\n", "; "}) {
    EXPECT_FALSE(ParseCsvSeparator(separator, false).ok()) << separator;
  }
  EXPECT_FALSE(ParseCsvSeparator("a", true).ok());
}

// A string for each field would take 32 times the size of this line.
TEST(CsvReader, FieldsThatWereNotChosenTakeNoMemory) {
  const auto resident_bytes = [] {
    struct rusage usage = {};
    EXPECT_EQ(::getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss * 1024;
  };
  const std::string line = "key,value" + std::string(10'000'000, ',') + "\n";
  const auto before = resident_bytes();
  const Reading reading = ReadCsv(line, Choosing("1", "2", false));
  EXPECT_THAT(reading.records, ElementsAre(Pair("key", "value")));
  EXPECT_LT(resident_bytes() - before, 300'000'000);
}

// What a quote in a wrong place leaves open does not reach into the next record, and skipping
// counts the same records as reading.
TEST(CsvReader, GoesOnBehindWhatItRefuses) {
  const std::string content =
      "a,1\n\nb\"\nc\n\"d\",\"x\n\"y\"\n\"e\",\"2\n\"\nf\"\ng,3\nh\ri\nj,4\n";
  const struct {
    std::string key;
    std::string value;
    std::string refused;  // the text, if it is no record
    uint64_t lines;
  } expected[] = {
      {"a", "1", "", 1},   {"", "", "b\"", 1}, {"", "", "c", 1},  {"", "", "\"d\",\"x\n\"y\"", 2},
      {"e", "2\n", "", 2}, {"", "", "f\"", 1}, {"g", "3", "", 1}, {"", "", "h\ri", 1},
      {"j", "4", "", 1},
  };
  for (size_t skip = 0; skip < std::size(expected); ++skip) {
    const TemporaryFile file(content);
    LineReader lines(file.fd());
    CsvReader reader({}, &lines);
    ASSERT_TRUE(reader.Begin().ok());
    std::string key, value;
    for (size_t i = 0; i < std::size(expected); ++i) {
      if (i < skip) {
        ASSERT_TRUE(*reader.Next(nullptr, nullptr)) << i;
      } else if (expected[i].refused.empty()) {
        ASSERT_TRUE(*reader.Next(&key, &value)) << i;
        EXPECT_EQ(key, expected[i].key);
        EXPECT_EQ(value, expected[i].value);
      } else {
        ASSERT_FALSE(reader.Next(&key, &value).ok()) << i;
        ASSERT_EQ(reader.remedy(), RecordReader::Remedy::kMendOrLeaveOut) << i;
        EXPECT_EQ(*reader.text(), expected[i].refused);
      }
      EXPECT_EQ(reader.lines_per_record(), expected[i].lines) << i;
    }
    EXPECT_FALSE(*reader.Next(&key, &value));
  }
}

// What is within quotes then may be the rest of the file.
TEST(CsvReader, LeavesNothingOutThatEndsWithinQuotes) {
  const TemporaryFile file("a,\"1\nb,2\n");
  LineReader lines(file.fd());
  CsvReader reader({}, &lines);
  std::string key, value;
  EXPECT_TRUE(absl::IsInvalidArgument(reader.Next(&key, &value).status()));
  EXPECT_EQ(reader.remedy(), RecordReader::Remedy::kMend);
  EXPECT_EQ(reader.text(), nullptr);
  file.Rewind();
  LineReader again(file.fd());
  CsvReader skipping({}, &again);
  EXPECT_TRUE(absl::IsInvalidArgument(skipping.Next(nullptr, nullptr).status()));
}

Records ReadBack(const Records& records, char separator, bool hex) {
  const TemporaryFile file;
  Output output(file.fd(), "file");
  CsvWriter writer(separator, hex, /*on_terminal=*/false, &output);
  writer.Begin();
  for (const auto& [key, value] : records) EXPECT_TRUE(writer.Write(key, value).ok());
  writer.End();
  EXPECT_TRUE(output.Flush().ok());
  file.Rewind();
  LineReader lines(file.fd());
  CsvOptions options;
  options.separator = separator;
  options.hex = hex;
  CsvReader reader(options, &lines);
  const Reading reading = ReadAll(&reader, lines);
  EXPECT_TRUE(reading.status.ok()) << reading.status;
  return reading.records;
}

TEST(CsvWriter, ItsReaderGetsTheSameBack) {
  EXPECT_TRUE(ReadBack(AnyRecords(), ',', false) == AnyRecords());
  EXPECT_TRUE(ReadBack(AnyRecords(), '\t', false) == AnyRecords());
  EXPECT_TRUE(ReadBack(AnyRecords(), ';', true) == AnyRecords());
  const Records marks = {{"\xef\xbb\xbf", "\r"}, {"\xff\xfe", "\n"}};
  EXPECT_TRUE(ReadBack(marks, ',', false) == marks);
}

// Short ones, mostly of the bytes that CSV gives a meaning.
TEST(CsvWriter, ItsReaderGetsRandomBytesBack) {
  constexpr std::string_view kOdd("\",\r\n \0\xff", 7);
  std::mt19937_64 random(1);
  const auto bytes = [&](size_t shortest) {
    std::string text(shortest + random() % 8, '\0');
    for (char& byte : text) {
      byte = random() % 4 == 0 ? static_cast<char>(random()) : kOdd[random() % kOdd.size()];
    }
    return text;
  };
  Records records;
  for (int i = 0; i < 100'000; ++i) {
    std::string key = bytes(1);
    records.emplace_back(std::move(key), bytes(0));
  }
  EXPECT_TRUE(ReadBack(records, ',', false) == records);
}

TEST(CsvWriter, QuotesEachFieldAndEscapesOnATerminal) {
  for (const bool on_terminal : {false, true}) {
    const TemporaryFile file;
    Output output(file.fd(), "file");
    CsvWriter writer(',', /*hex=*/false, on_terminal, &output);
    EXPECT_TRUE(writer.Write("a\"\x1b", std::string_view()).ok());
    ASSERT_TRUE(output.Flush().ok());
    EXPECT_EQ(file.Content(), on_terminal ? "\"a\"\"\\1b\",\"\"\n" : "\"a\"\"\x1b\",\"\"\n");
  }
}

}  // namespace
}  // namespace rumcask::cli
