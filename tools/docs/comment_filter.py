#!/usr/bin/env python3
"""Shows Doxygen the comments of a header, which are plain // comments.

    comment_filter.py HEADER

Writes the header to the standard output with as many lines as it has, so that Doxygen's warnings
name the right ones. What becomes of its comments:

- The first one describes the file. In it, `Options::keystore` is a link that must lead somewhere,
  and one word with a period at the beginning of a paragraph is its heading.
- One in front of a declaration describes that. If it begins with "These" or "Each", or if it is one
  of a variable, it describes also what follows without a blank line or another comment in between:
  SeekToFirst, SeekToLast, Seek and Prev of an iterator, for example; if it is one of a variable, only
  other variables. The comment of a struct is that of the variables right below its first line.
- One at the end of a declaration's line describes that.
- `// ---- reading ----` begins a group of members, which ends with the next one, with the class or
  at `private:`. The comment right below it that belongs to no declaration describes the group.

Comments inside functions and those of forward declarations and friend classes are left alone. In a
comment, a paragraph whose first line is indented by three columns is code, ` - ` begins an item of a
list, and words between backticks are code. Everything else is text, even if Doxygen would take it for
a command.
"""

import re
import sys

CODE_INDENT = "  "  # Behind the blank that follows //.
SECTION = re.compile(r"-{4} (.*) -{4}$")
SCOPE = re.compile(r"(?:template *<[^{]*> *)?(?:inline )?(namespace|class|struct|union|enum)\b")
NOT_DESCRIBED = re.compile(
    r"(class|struct)( \w+)+;|friend (class|struct)\b|static_assert|(public|protected|private):|}|#|$")


def escaped(text):
    return re.sub(r"([\\@&<>#%])", r"\\\1", text).replace("--", r"\--")


def marked_up(text):
    """Text with words between backticks, as Doxygen wants it."""
    parts = re.split(r"`([^`]+)`", text)
    return "".join(
        "<code>" + escaped(part) + "</code>" if i % 2 else escaped(part)
        for i, part in enumerate(parts))


def with_links(text):
    """The comment of a file is outside the namespace, where Doxygen does not find what is in it."""
    return re.sub(r"\b([A-Z]\w+::\w+)", r"@link rumcask::\1 \1@endlink", text)


def with_heading(paragraph):
    return re.sub(r"\A(\n?)([A-Z]\w+\.) ", r"\1<b>\2</b> ", paragraph)


def paragraphs_of(lines):
    """Each begins with the blank line in front of it."""
    paragraphs = [[]]
    for line in lines:
        if not line and paragraphs[-1]:
            paragraphs.append([])
        paragraphs[-1].append(line)
    return paragraphs if lines else []


def described(lines, of_file=False):
    """The lines of a comment as Doxygen wants them, as many as there are."""
    result = []
    for paragraph in paragraphs_of(lines):
        if paragraph[1:] and paragraph[1].startswith(CODE_INDENT):
            result += ["@code{.cpp}"] + paragraph[1:-1] + [paragraph[-1] + " @endcode"]
            continue
        text = marked_up("\n".join(paragraph))
        result += (with_heading(with_links(text)) if of_file else text).split("\n")
    return ["/// " + line for line in result]


def in_one_line(lines):
    return "/** " + " ".join(line[len("/// "):] for line in described(lines)) + " */ "


def is_variable(code):
    return "(" not in code.partition("=")[0]


class Braces:
    """What the code taken so far has left open."""

    def __init__(self):
        self.kinds = []  # "body", or what begins with the brace, such as "class".
        self.statement = ""

    def in_body(self):
        return "body" in self.kinds

    def between_statements(self):
        return not self.statement.strip()

    def take(self, code):
        code = re.sub(r'"(\\.|[^"])*"|/\*.*?\*/|^ *(public|protected|private):|^#.*', "", code)
        for character in code + " ":
            self.statement += character
            if character == "{":
                scope = SCOPE.match(self.statement.lstrip())
                self.kinds.append(scope.group(1) if scope else "body")
            elif character == "}":
                self.kinds.pop()
            if character in "{};" or (character == "," and self.kinds[-1:] == ["enum"]):
                self.statement = ""


class Header:

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.lines = file.read().splitlines()
        self.path = path
        self.at = 0
        self.result = []
        self.braces = Braces()
        self.group = None  # The number of braces around the open group of members.
        self.shared = None  # A comment that may describe what follows, too,
        self.of_variable = False  # if that is a variable like what it was written for.
        self.is_below = False  # Whether a comment is right above.

    def comment(self, at):
        """What the line says if it is a comment and nothing else."""
        found = at < len(self.lines) and re.match(r"\s*// ?(.*)$", self.lines[at])
        return found.group(1) if found else None

    def is_blank(self, at):
        return at == len(self.lines) or not self.lines[at].strip()

    def end_of_comment(self, at):
        while self.comment(at) is not None:
            at += 1
        return at

    def take_comment(self):
        begin, self.at = self.at, self.end_of_comment(self.at)
        return [self.comment(at) for at in range(begin, self.at)]

    def end_group(self):
        had, self.group = self.group, None
        return "" if had is None else "/**@}*/ "

    def add_file(self):
        comment = self.take_comment()
        comment[0] = re.sub(r" Public[.;].*", "", comment[0])  # All that is shown here is.
        self.result += described(comment, of_file=True)
        self.add_instead_of_blank("/// @file")

    def add_instead_of_blank(self, line):
        if not self.is_blank(self.at):
            sys.exit("%s:%d: there must be a blank line" % (self.path, self.at + 1))
        self.result.append(line)
        self.at += 1

    def add_group(self, title):
        comment = self.take_comment()
        name = "/// @name " + escaped(title[:1].upper() + title[1:])
        self.result += [self.end_group() + name] + described(comment[1:])
        below = self.end_of_comment(self.at + 1)
        if len(comment) == 1 and below > self.at + 1 and self.is_blank(below):
            self.add_instead_of_blank("///")
            self.result += described(self.take_comment())
        self.add_instead_of_blank("/**@{*/")
        self.group = len(self.braces.kinds)

    def add_comment(self):
        below = self.end_of_comment(self.at)
        section = SECTION.match(self.comment(self.at))
        self.shared = None
        if self.at == 0:
            self.add_file()
        elif section and self.braces.between_statements():
            self.add_group(section.group(1))
        elif (self.is_blank(below) or NOT_DESCRIBED.match(self.lines[below].strip()) or
              not self.braces.between_statements()):
            self.result += self.lines[self.at:below]
            self.at = below
        else:
            self.shared = self.take_comment()
            self.result += described(self.shared)
            self.is_below = True

    def is_covered(self, code):
        """Whether the comment of something before describes this declaration, too."""
        return self.shared and not self.is_below and (
            self.shared[0].startswith(("These ", "Each ")) or
            (self.of_variable and is_variable(code)))

    def declaration(self, code, comment):
        """The line of a declaration with its description."""
        begins = self.braces.between_statements()
        if begins and NOT_DESCRIBED.match(code.strip()):
            self.shared = None
            if self.group == len(self.braces.kinds) and re.match(" *(}|private:)", code):
                return self.end_group() + code
        elif comment and not comment.startswith(" NOLINT"):
            self.shared = None
            return code + "///< " + marked_up(comment.strip())
        elif begins and self.is_covered(code):
            return in_one_line(self.shared) + code
        elif begins and self.is_below:
            self.of_variable = is_variable(code)
        return code

    def add_code(self):
        line = self.lines[self.at]
        self.at += 1
        code, _, comment = line.partition("//")
        if self.braces.in_body():
            self.result.append(line)
        else:
            self.result.append(self.declaration(code, comment))
            self.is_below = False
        depth = len(self.braces.kinds)
        self.braces.take(code)
        if len(self.braces.kinds) > depth and not self.braces.in_body():
            struct = re.search(r"struct (\w+) {$", code)
            self.shared = ["See %s." % struct.group(1)] if struct and self.shared else None
            self.of_variable = True

    def filtered(self):
        while self.at < len(self.lines):
            if self.comment(self.at) is not None and not self.braces.in_body():
                self.add_comment()
            else:
                self.add_code()
        return "\n".join(self.result) + "\n"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.stdout.write(Header(sys.argv[1]).filtered())
