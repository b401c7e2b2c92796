#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "tools/cli/dump_format.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/json_text.h"
#include "tools/cli/line_reader.h"
#include "tools/cli/output.h"
#include "tools/cli/printable.h"
#include "tools/cli/reading.h"
#include "tools/cli/records.h"
#include "tools/cli/text_encoding.h"

namespace rumcask::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

Reading ReadDump(std::string_view content) {
  const TemporaryFile file(content);
  LineReader lines(file.fd());
  DumpReader reader(/*escapes_confirmed=*/false, &lines);
  return ReadAll(&reader, lines);
}

// A dump with one more data line.
std::string PrintDump(std::string_view line) {
  return "VERSION=3\nformat=print\ntype=btree\nHEADER=END\n key\n " + std::string(line) +
         "\nDATA=END\n";
}

TEST(TextEncoding, HexIsRead) {
  EXPECT_EQ(FromHex("00ff7A7a"), std::string("\0\xffzz", 4));
  EXPECT_EQ(FromHex(""), "");
  EXPECT_EQ(FromHex("0"), std::nullopt);
  EXPECT_EQ(FromHex("0g"), std::nullopt);
  EXPECT_EQ(FromHex("0x12"), std::nullopt);
  EXPECT_EQ(ToHex(std::string("\0\xff", 2)), "00ff");
}

TEST(LineReader, LinesAreCountedWhateverTheirLength) {
  const std::string longer_than_the_buffer(200'000, 'x');
  const TemporaryFile file("a\n\n" + longer_than_the_buffer + "\nend");
  LineReader lines(file.fd());
  std::string line;
  ASSERT_TRUE(lines.StartLine());
  ASSERT_TRUE(lines.ReadRest(1, &line).ok());
  EXPECT_EQ(line, "a");
  ASSERT_TRUE(lines.StartLine());
  ASSERT_TRUE(lines.ReadRest(0, &line).ok());
  EXPECT_THAT(line, IsEmpty());
  EXPECT_TRUE(lines.terminated());
  ASSERT_TRUE(lines.StartLine());
  EXPECT_TRUE(absl::IsInvalidArgument(lines.ReadRest(199'999, &line)));
  ASSERT_TRUE(lines.StartLine()) << "goes past what is left of a line";
  EXPECT_EQ(lines.line_number(), 4);
  ASSERT_TRUE(lines.ReadRest(3, &line).ok());
  EXPECT_EQ(line, "end");
  EXPECT_FALSE(lines.terminated());
  EXPECT_FALSE(lines.StartLine());
  EXPECT_TRUE(lines.status().ok());
  EXPECT_EQ(lines.consumed(), 200'007);
}

TEST(LineReader, ErrorsAreNotTheEnd) {
  LineReader lines(-1);
  EXPECT_FALSE(lines.StartLine());
  EXPECT_THAT(std::string(lines.status().message()), HasSubstr("cannot read: Bad file"));
}

TEST(Output, ErrorsAreKept) {
  Output output(-1, "the file");
  output.Append("x");
  EXPECT_TRUE(output.status().ok());
  EXPECT_EQ(output.Flush().message(), "cannot write the file: Bad file descriptor");
  output.Append(std::string(1'000'000, 'x'));
  EXPECT_FALSE(output.status().ok());
}

TEST(DumpReader, ReadsWhatMdbDumpWrites) {
  const Reading reading = ReadDump(
      "VERSION=3\nformat=bytevalue\ndatabase=sub\ntype=btree\nmapsize=1048576\nmaxreaders=126\n"
      "db_pagesize=4096\nHEADER=END\n 615c62\n 765C770a\n 62\n \nDATA=END\n");
  EXPECT_TRUE(reading.status.ok()) << reading.status;
  EXPECT_THAT(reading.records, ElementsAre(Pair("a\\b", "v\\w\n"), Pair("b", "")));
}

TEST(DumpReader, ReadsEscapes) {
  const Reading reading = ReadDump(PrintDump("a\\00b\\\\\\0A =\\fF"));
  EXPECT_TRUE(reading.status.ok()) << reading.status;
  EXPECT_THAT(reading.records, ElementsAre(Pair("key", std::string("a\0b\\\n =\xff", 8))));
  for (const char* line : {"a\\z", "a\\6x", "a\\6", "a\\"}) {
    EXPECT_THAT(ReadDump(PrintDump(line)).message(), HasSubstr("the value has a backslash"));
  }
}

TEST(DumpReader, NamesWhatIsWrong) {
  const std::string header = "VERSION=3\nformat=bytevalue\ntype=btree\nHEADER=END\n";
  const struct {
    std::string content;
    uint64_t line;
    std::string cause;
  } cases[] = {
      {"", 0, "the input ends without HEADER=END"},
      {"a;b\n", 1, "this is no db_dump file"},
      {"\xef\xbb\xbfVERSION=3\n", 1, "begins with a byte-order mark"},
      {"\xff\xfeV", 1, "begins with a byte-order mark"},
      {"\xfe\xff", 1, "begins with a byte-order mark"},
      {"VERSION=2\n", 1, "version 2 "},
      {"VERSION=3\nformat=csv\n", 2, "format csv "},
      {"VERSION=3\ntype=heap\n", 2, "type heap "},
      {"VERSION=3\ntype=recno\nHEADER=END\n", 3, "db_dump -k puts them in"},
      {"VERSION=3\ntype=queue\nre_len=9\nHEADER=END\n", 4, "says type=queue"},
      {"VERSION=3\nduplicates=1\n", 2, "says duplicates=1: a key may have several values"},
      {"VERSION=3\ndupsort=1\n", 2, "says dupsort=1: a key may have several values"},
      {"VERSION=3\nkeys=0\n", 2, "without keys"},
      {"VERSION=3\nnothing\n", 2, "not NAME=VALUE"},
      {"VERSION=3\nx=" + std::string(5000, 'x') + "\n", 2, "longer than 4096"},
      {"VERSION=3\n", 1, "the input ends without HEADER=END"},
      {header, 4, "without DATA=END"},
      {header + " 61\n", 5, "the key has no value"},
      {header + " 61\nDATA=END\n", 6, "the key has no value"},
      {header + " 61\n 62", 6, "the input ends within the value"},
      {header + " 61\n 6", 6, "the input ends within the value"},
      {header + " 6", 5, "the input ends within the key"},
      {header + " 61\n 62\n", 6, "without DATA=END"},
      {header + " 61\n 6\n", 6, "the value ends within a byte"},
      {header + " 6g\n 62\n", 5, "the key has a character that is no hex"},
      {header + " \n 62\n", 5, "the key is empty"},
      {header + "61\n 62\n", 5, "neither data"},
      {header + "\n", 5, "neither data"},
      {header + " " + std::string(size_t{65536} * 2, '6') + "\n 62\n", 5,
       "the key is longer than 65535 bytes"},
      {header + "DATA=END\n\n", 6, "something that is no dump follows DATA=END"},
      {header + "DATA=END\nVERSION=3\n", 6, "another dump follows"},
      {header + "DATA=END\nVERSION=3\ndatabase=b\n" + header, 7, "another database, 'b', follows"},
      {header + "DATA=END\n" + header + " 61\n 62\ndatabase=b\n", 9, "another dump follows"},
  };
  for (const auto& c : cases) {
    const Reading reading = ReadDump(c.content);
    EXPECT_TRUE(absl::IsInvalidArgument(reading.status)) << c.content;
    EXPECT_THAT(reading.message(), HasSubstr(c.cause));
    EXPECT_EQ(reading.line_number, c.line) << c.cause;
  }
}

// What the reader remarks on a dump with this between VERSION=3 and HEADER=END and with this data.
std::string NoteOf(const std::string& header, const std::string& data) {
  const TemporaryFile file("VERSION=3\n" + header + "HEADER=END\n" + data + "DATA=END\n");
  LineReader lines(file.fd());
  DumpReader reader(/*escapes_confirmed=*/false, &lines);
  const Reading reading = ReadAll(&reader, lines);
  EXPECT_TRUE(reading.status.ok()) << reading.status;
  return reader.Note();
}

TEST(DumpReader, RemarksThatKeysHaveAnotherOrder) {
  EXPECT_EQ(NoteOf("type=btree\nintegerkey=0\nreversekey=0\n", " 61\n 62\n"), "");
  EXPECT_THAT(NoteOf("integerkey=1\n", " 61000000\n 62\n"),
              HasSubstr("integers in the byte order"));
  EXPECT_THAT(NoteOf("reversekey=1\n", " 61\n 62\n"), HasSubstr("from their last byte"));
  EXPECT_THAT(NoteOf("type=recno\nkeys=1\n", " 31\n 62\n"), HasSubstr("type=recno"));
}

TEST(DumpReader, RemarksDescriptionsOfDatabases) {
  const std::string zero(16, '0');
  const std::string one = "01" + zero.substr(2);
  const std::string none(16, 'f');
  const std::string with_one_leaf =
      " 0000000000000100" + zero + one + zero + one + "03" + zero.substr(2);
  const std::string empty =
      " 00000000"
      "02000000" +
      zero + zero + zero + zero + none;
  for (const std::string& description : {with_one_leaf, empty}) {
    const std::string data = " 61\n 62\n 63\n" + description + "\n";
    EXPECT_THAT(NoteOf("maxreaders=126\n", data), HasSubstr("in line 7 first"));
    EXPECT_EQ(NoteOf("", data), "") << "is not from LMDB";
    EXPECT_EQ(NoteOf("database=a\nmaxreaders=126\n", data), "") << "is of a named database";
  }
  for (const std::string& other :
       {with_one_leaf + "00", " " + zero + zero + zero + zero + zero + zero,
        " 0000000000000100" + zero + one + zero + zero + one,
        " " + none + none + none + none + none + none}) {
    EXPECT_EQ(NoteOf("maxreaders=126\n", " 61\n" + other + "\n"), "");
  }
}

// A pipe in which more could follow but does not.
class OpenPipe {
 public:
  explicit OpenPipe(std::string_view content) {
    EXPECT_EQ(::pipe(ends_), 0);
    EXPECT_EQ(::write(ends_[1], content.data(), content.size()),
              static_cast<ssize_t>(content.size()));
  }
  ~OpenPipe() {
    for (const int end : ends_) ::close(end);
  }
  OpenPipe(const OpenPipe&) = delete;
  OpenPipe& operator=(const OpenPipe&) = delete;

  int fd() const { return ends_[0]; }

 private:
  int ends_[2] = {-1, -1};
};

TEST(DumpReader, CtrlCWithinARecordIsNotItsFault) {
  const std::string header = "VERSION=3\nformat=%\nHEADER=END\n 61\n ";
  for (const auto& [format, rest] :
       {std::pair("bytevalue", "6"), std::pair("print", "6\\"), std::pair("print", "6\\6"),
        std::pair("print", "x"), std::pair("bytevalue", "")}) {
    std::string content = header + rest;
    OpenPipe pipe(content.replace(content.find('%'), 1, format));
    LineReader lines(pipe.fd());
    DumpReader reader(/*escapes_confirmed=*/false, &lines);
    ASSERT_TRUE(reader.Begin().ok());
    const Interrupt interrupt;
    ::raise(SIGINT);
    std::string key;
    std::string value;
    const absl::Status status = reader.Next(&key, &value).status();
    EXPECT_TRUE(absl::IsCancelled(status)) << format << " " << rest << ": " << status;
    EXPECT_NE(reader.remedy(), RecordReader::Remedy::kMendOrLeaveOut);
  }
}

TEST(DumpReader, SkipsWithoutLooking) {
  const TemporaryFile file(
      "VERSION=3\nformat=bytevalue\nHEADER=END\n bad\n bad\n 61\n 62\nDATA=END");
  LineReader lines(file.fd());
  DumpReader reader(/*escapes_confirmed=*/false, &lines);
  ASSERT_TRUE(reader.Begin().ok());
  EXPECT_TRUE(*reader.Next(nullptr, nullptr));
  std::string key;
  std::string value;
  EXPECT_TRUE(*reader.Next(&key, &value));
  EXPECT_EQ(key + value, "ab");
  EXPECT_FALSE(*reader.Next(nullptr, nullptr));
}

TEST(DumpWriter, ItsReaderGetsTheSameBack) {
  for (const DumpEncoding encoding : {DumpEncoding::kByteValue, DumpEncoding::kPrint}) {
    const TemporaryFile file;
    Output output(file.fd(), "file");
    DumpWriter writer(encoding, DumpTarget::kLmdb, 1, &output);
    writer.Begin();
    for (const auto& [key, value] : AnyRecords()) ASSERT_TRUE(writer.Write(key, value).ok());
    writer.End();
    ASSERT_TRUE(output.Flush().ok());
    file.Rewind();
    LineReader lines(file.fd());
    DumpReader reader(/*escapes_confirmed=*/false, &lines);
    const Reading reading = ReadAll(&reader, lines);
    EXPECT_TRUE(reading.status.ok()) << reading.status;
    EXPECT_TRUE(reading.records == AnyRecords());
  }
}

TEST(DumpWriter, WritesPlainAscii) {
  const TemporaryFile file;
  Output output(file.fd(), "file");
  DumpWriter writer(DumpEncoding::kPrint, DumpTarget::kLmdb, 1 << 20, &output);
  writer.Begin();
  ASSERT_TRUE(writer.Write("a\\b", "c d\n\xff").ok());
  writer.End();
  ASSERT_TRUE(output.Flush().ok());
  EXPECT_EQ(file.Content(),
            "VERSION=3\nformat=print\ntype=btree\nmapsize=20971520\nHEADER=END\n a\\5cb\n "
            "c d\\0a\\ff\nDATA=END\n");
}

TEST(Printable, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(Printable("plain \\ text"), "plain \\ text");
  EXPECT_EQ(Printable("\x1b]0;title\a"), "\\1b]0;title\\07");
  EXPECT_EQ(Printable("one\ntwo\tthree\r"), "one\\0atwo\\09three\\0d");
  EXPECT_EQ(Printable("one\ntwo\tthree\r", Escaping::kLines), "one\ntwo\tthree\\0d");
  EXPECT_EQ(Printable("a\\b\n", Escaping::kBackslash), "a\\5cb\\0a");
  EXPECT_EQ(Printable(std::string_view("\0\x7f", 2)), "\\00\\7f");
  // Valid UTF-8 stays; invalid bytes and control characters are escaped.
  EXPECT_EQ(Printable("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
            "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
  EXPECT_EQ(Printable("\xc2\x9b"
                      "31m"),
            "\\c2\\9b31m");
  EXPECT_EQ(Printable("\xff\xc3"), "\\ff\\c3");
  EXPECT_EQ(Printable("\xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80"),
            "\\c0\\af \\ed\\a0\\80 \\f4\\90\\80\\80");
  // Characters that change the direction of writing, and their neighbours.
  EXPECT_EQ(Printable("\xe2\x80\xa9 \xe2\x80\xae \xe2\x81\xa5 \xe2\x81\xa6"),
            "\xe2\x80\xa9 \\e2\\80\\ae \xe2\x81\xa5 \\e2\\81\\a6");
}

TEST(JsonText, EscapesWhatATerminalWouldObey) {
  const std::string bytes =
      "\x1b \x7f \xc2\x80 \xc2\x9b \xc2\xa0 \xe2\x80\xae \xe2\x81\xa6 \xf0\x9f\x98\x80\n";
  const nlohmann::ordered_json json = {{"a\x7f", bytes}};
  const std::string text = JsonText(json, -1);
  EXPECT_EQ(text,
            "{\"a\\u007f\":\"\\u001b \\u007f \\u0080 \\u009b \xc2\xa0 \\u202e \\u2066 "
            "\xf0\x9f\x98\x80\\n\"}");
  EXPECT_EQ(nlohmann::ordered_json::parse(text), json);
  EXPECT_EQ(JsonText(json, 1).substr(0, 3), "{\n ");
  EXPECT_EQ(JsonText("\xff", -1), "\"\xef\xbf\xbd\"");
}

}  // namespace
}  // namespace rumcask::cli
