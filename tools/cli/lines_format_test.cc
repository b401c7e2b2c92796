#include "tools/cli/lines_format.h"

#include <string>
#include <string_view>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "core/format/limits.h"
#include "tools/cli/line_reader.h"
#include "tools/cli/output.h"
#include "tools/cli/reading.h"
#include "tools/cli/text_encoding.h"

namespace rumcask::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

Reading ReadLines(std::string_view content, std::string_view separator, bool hex = false) {
  const TemporaryFile file(content);
  LineReader lines(file.fd());
  LinesOptions options;
  options.separator = std::string(separator);
  options.hex = hex;
  LinesReader reader(std::move(options), &lines);
  return ReadAll(&reader, lines);
}

Reading ReadOtherLines(std::string_view content, const LinesOptions& options) {
  const TemporaryFile file(content);
  LineReader lines(file.fd());
  LinesReader reader(options, &lines);
  return ReadAll(&reader, lines);
}

TEST(LinesReader, SplitsAtTheFirstSeparator) {
  EXPECT_THAT(ReadLines("a;b;c\nd;\ne;f", ";").records,
              ElementsAre(Pair("a", "b;c"), Pair("d", ""), Pair("e", "f")));
  EXPECT_THAT(ReadLines("a: b:c\r\n", ": ").records, ElementsAre(Pair("a", "b:c\r")));
  EXPECT_THAT(ReadLines("", ";").records, IsEmpty());
  EXPECT_THAT(ReadLines("61\t00\n", "\t", true).records,
              ElementsAre(Pair("a", std::string(1, '\0'))));
}

TEST(LinesReader, NamesWhatIsWrong) {
  EXPECT_EQ(ReadLines("a;b\nc\n", ";").message(), "the line has no separator");
  EXPECT_EQ(ReadLines("a;b\nc\n", ";").line_number, 2);
  EXPECT_EQ(ReadLines("a;b\n \n", ";").message(), "the line has no separator");
  EXPECT_EQ(ReadLines(";b\n", ";").message(), "the key is empty");
  EXPECT_EQ(ReadLines("6;61\n", ";", true).message(), "the key is not hexadecimal");
  EXPECT_EQ(ReadLines("61;x\n", ";", true).message(), "the value is not hexadecimal");
  EXPECT_EQ(ReadLines(std::string(kMaxKeyBytes + 1, 'x') + ";\n", ";").message(),
            "the key is longer than 65535 bytes");
}

TEST(LinesReader, LeavesOutWhatIsNoRecord) {
  EXPECT_THAT(ReadLines("\na;b\n\n\r\nc;d\n\n", ";").records,
              ElementsAre(Pair("a", "b"), Pair("c", "d")));
  LinesOptions options;
  options.separator = ";";
  options.header = true;
  EXPECT_THAT(ReadOtherLines("name;value\na;b\n", options).records, ElementsAre(Pair("a", "b")));
  EXPECT_THAT(ReadOtherLines("name;value", options).records, IsEmpty());
  options.comment = "//";
  EXPECT_THAT(ReadOtherLines("\n// y\nx\n// a;b\n/;c\nd;// e\n//", options).records,
              ElementsAre(Pair("/", "c"), Pair("d", "// e")));
  options.bare_keys = true;
  EXPECT_THAT(ReadOtherLines("x\na\nb\r\nc;\nd;e\n//f", options).records,
              ElementsAre(Pair("a", ""), Pair("b", ""), Pair("c", ""), Pair("d", "e")));
  EXPECT_EQ(ReadOtherLines("x\n;b\n", options).message(), "the key is empty");
}

TEST(LinesReader, RefusesOtherEncodings) {
  LinesOptions options;
  options.separator = ";";
  const std::string mark = "\xef\xbb\xbf";
  const std::string utf16(
      "\xff\xfe"
      "a\0;\0b\0\n\0",
      10);
  EXPECT_THAT(ReadOtherLines(mark + "a;b\n", options).message(), HasSubstr("byte-order mark"));
  EXPECT_THAT(ReadOtherLines(utf16, options).message(), HasSubstr("UTF-16"));
  // A header with a mark is left out with it.
  options.header = true;
  EXPECT_THAT(ReadOtherLines(mark + "name;value\na;b\n", options).records,
              ElementsAre(Pair("a", "b")));
  EXPECT_THAT(ReadOtherLines(utf16, options).message(), HasSubstr("UTF-16"));
}

// Behind the mark the first line is what it would be without it, for skipping as for reading.
TEST(LinesReader, AMarkHidesNoCommentAndNoBlankLine) {
  LinesOptions options;
  options.separator = ";";
  options.header = true;
  options.comment = "# ";
  for (const std::string first : {"# people\n", "\n", "\r\n", ""}) {
    const std::string content = "\xef\xbb\xbf" + first + "name;town\nAda;London\nBo;Paris\n";
    EXPECT_THAT(ReadOtherLines(content, options).records,
                ElementsAre(Pair("Ada", "London"), Pair("Bo", "Paris")))
        << first;
    const TemporaryFile file(content);
    LineReader lines(file.fd());
    LinesReader reader(options, &lines);
    EXPECT_TRUE(*reader.Next(nullptr, nullptr));
    std::string key, value;
    EXPECT_TRUE(*reader.Next(&key, &value));
    EXPECT_EQ(key, "Bo") << first;
  }
}

TEST(LinesReader, WhatCommentsBeginWithIsChecked) {
  EXPECT_EQ(*ParseComment("\\t#"), "\t#");
  EXPECT_FALSE(ParseComment("").ok());
  EXPECT_FALSE(ParseComment("a\n").ok());
}

// Skipping counts the same lines as reading does, without decoding them.
TEST(LinesReader, SkipsRecordsAndNotLines) {
  const TemporaryFile file("name;value\n\n# one\na;1\nbroken\n\r\n# two\nb;2\n");
  LineReader lines(file.fd());
  LinesOptions options;
  options.separator = ";";
  options.header = true;
  options.comment = "#";
  LinesReader reader(options, &lines);
  EXPECT_TRUE(*reader.Next(nullptr, nullptr));
  EXPECT_EQ(lines.line_number(), 4);
  EXPECT_TRUE(*reader.Next(nullptr, nullptr));
  EXPECT_EQ(lines.line_number(), 5);
  std::string key, value;
  EXPECT_TRUE(*reader.Next(&key, &value));
  EXPECT_EQ(key, "b");
  EXPECT_EQ(lines.line_number(), 8);
  EXPECT_FALSE(*reader.Next(&key, &value));
}

TEST(LinesReader, HasTheTextOfWhatItRefuses) {
  const TemporaryFile file("a;1\nbroken\r\n");
  LineReader lines(file.fd());
  LinesOptions options;
  options.separator = ";";
  LinesReader reader(options, &lines);
  std::string key, value;
  EXPECT_TRUE(*reader.Next(&key, &value));
  EXPECT_FALSE(reader.Next(&key, &value).ok());
  ASSERT_NE(reader.text(), nullptr);
  EXPECT_EQ(*reader.text(), "broken\r");
}

TEST(LinesFormat, SeparatorsAreChecked) {
  EXPECT_EQ(*ParseSeparator("\\t", false), "\t");
  EXPECT_EQ(*ParseSeparator("::", true), "::");
  EXPECT_FALSE(ParseSeparator("", false).ok());
  EXPECT_FALSE(ParseSeparator("a\n", false).ok());
  EXPECT_FALSE(ParseSeparator("; a", true).ok());
}

TEST(LinesWriter, RefusesWhatWouldNotComeBack) {
  const TemporaryFile file;
  Output output(file.fd(), "file");
  LinesWriter writer("::", /*hex=*/false, /*on_terminal=*/false, &output);
  EXPECT_FALSE(writer.Write("a::b", "").ok());
  EXPECT_FALSE(writer.Write("a:", "").ok()) << "would split one byte early";
  EXPECT_FALSE(writer.Write("a\nb", "").ok());
  EXPECT_FALSE(writer.Write("a", "b\nc").ok());
  EXPECT_TRUE(writer.Write(":a", "::b").ok());
  LinesWriter hex_writer(";", /*hex=*/true, /*on_terminal=*/false, &output);
  EXPECT_TRUE(hex_writer.Write("\n", ";").ok());
  ASSERT_TRUE(output.Flush().ok());
  EXPECT_EQ(file.Content(), ":a::::b\n0a;3b\n");
}

// The reader takes it for a sign that the file has another encoding.
TEST(LinesWriter, RefusesAMarkInTheFirstLine) {
  const struct {
    std::string key;
    std::string separator;
    std::string value;
  } lines[] = {
      {"\xef\xbb\xbf", ";", "1"},
      {"\xff\xfe", ";", "1"},
      {"\xfe\xff", ";", "1"},
      {"\xef", "\xbb", "\xbf"},
  };
  for (const auto& line : lines) {
    const TemporaryFile file;
    Output output(file.fd(), "file");
    LinesWriter writer(line.separator, /*hex=*/false, /*on_terminal=*/false, &output);
    EXPECT_FALSE(writer.Write(line.key, line.value).ok()) << ToHex(line.key);
    EXPECT_TRUE(writer.Write("a", "1").ok());
    EXPECT_TRUE(writer.Write(line.key, line.value).ok()) << "is none in the second line";
    ASSERT_TRUE(output.Flush().ok());
    EXPECT_EQ(ReadLines(file.Content(), line.separator).records.size(), 2);
    LinesWriter hex_writer(line.separator, /*hex=*/true, /*on_terminal=*/false, &output);
    EXPECT_TRUE(hex_writer.Write(line.key, line.value).ok());
  }
}

TEST(LinesWriter, EscapesOnATerminal) {
  const TemporaryFile file;
  Output output(file.fd(), "file");
  LinesWriter writer("\t\x1b", /*hex=*/false, /*on_terminal=*/true, &output);
  EXPECT_TRUE(writer.Write("a\\b", "\x1b[31m\xe2\x80\xae").ok());
  EXPECT_FALSE(writer.Write("a", "b\nc").ok());
  ASSERT_TRUE(output.Flush().ok());
  EXPECT_EQ(file.Content(), "a\\5cb\t\\1b\\1b[31m\\e2\\80\\ae\n");
}

}  // namespace
}  // namespace rumcask::cli
