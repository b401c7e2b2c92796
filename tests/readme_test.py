"""README shows what is compiled and tested, and its links lead somewhere."""

import re
import sys
import unittest

README, PROGRAM, BAZELRC, WORKSPACE, MODULE, BUILD = sys.argv[1:7]
EXISTING = set(sys.argv[7:])


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def statements(text):
    """Without comments and blank lines, and as seen from beside a clone of this repository."""
    lines = (line.split("#")[0].rstrip() for line in text.splitlines())
    return "".join(line + "\n" for line in lines if line).replace('"../.."', '"../rumcask"')


def blocks_in(*languages):
    """What README shows between fences."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", read(README), re.DOTALL | re.MULTILINE)
    return [text for language, text in blocks if language in languages]


class ReadmeTest(unittest.TestCase):

    def test_the_program_is_the_one_that_is_compiled(self):
        self.assertEqual(blocks_in("cpp"), [read(PROGRAM)])

    def test_the_program_has_twenty_lines(self):
        self.assertLessEqual(len(read(PROGRAM).splitlines()), 20)

    def test_the_project_around_it_is_the_one_that_is_built(self):
        blocks = blocks_in("python", "")
        self.assertEqual(len(blocks), 4)
        for block, path in zip(blocks, (WORKSPACE, BAZELRC, BUILD, MODULE)):
            self.assertIn(statements(block), statements(read(path)))
        self.assertEqual(statements(blocks[1]), statements(read(BAZELRC)))

    def test_the_links_to_headers_and_documents_are_not_dead(self):
        links = re.findall(r"\]\(((?:core|keystores)/[^)]+)\)", read(README))
        self.assertGreater(len(links), 8)
        self.assertEqual([link for link in links if link not in EXISTING], [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
