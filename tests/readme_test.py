"""README's program is the one in tests/embedding, and its links lead somewhere."""

import re
import sys
import unittest

README, PROGRAM = sys.argv[1:3]
EXISTING = set(sys.argv[3:])


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class ReadmeTest(unittest.TestCase):

    def test_the_program_is_the_one_that_is_compiled(self):
        blocks = re.findall(r"```cpp\n(.*?)```", read(README), re.DOTALL)
        self.assertEqual(blocks, [read(PROGRAM)])

    def test_the_program_has_twenty_lines(self):
        self.assertLessEqual(len(read(PROGRAM).splitlines()), 20)

    def test_the_links_to_headers_and_documents_are_not_dead(self):
        links = re.findall(r"\]\(((?:core|keystores)/[^)]+)\)", read(README))
        self.assertGreater(len(links), 8)
        self.assertEqual([link for link in links if link not in EXISTING], [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
