"""What keystores/README.md shows is what is compiled, and its links lead somewhere."""

import os
import re
import unittest

DIRECTORY = "keystores"
# The only line of it that is of no file here.
SETTING = "options.keystore = LmdbKeystore();\n"


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


class ReadmeTest(unittest.TestCase):

    def test_the_code_is_that_of_the_example(self):
        code = "".join(
            read("tests/example_keystore", name)
            for name in ("file_keystore.cc", "file_keystore_test.cc"))
        blocks = re.findall(r"```cpp\n(.*?)```", read(DIRECTORY, "README.md"), re.DOTALL)
        self.assertEqual(len(blocks), 7)
        self.assertEqual([block for block in blocks if block not in code], [SETTING])

    def test_it_tells_how_long_the_example_is(self):
        lines = read("tests/example_keystore/file_keystore.cc").count("\n")
        self.assertIn(f"{lines} lines", read(DIRECTORY, "README.md"))

    def test_every_keystore_is_told_of(self):
        names = re.findall(r'^    "(\w+)",$', read(DIRECTORY, "keystores.bzl"), re.MULTILINE)
        self.assertIn("hash", names)
        page = read(DIRECTORY, "README.md")
        first_row = re.search(r"^\|.*", page, re.MULTILINE).group()
        for name in names:
            self.assertIn("- **%s**" % name, page)
            self.assertIn("| %s " % name, first_row)
            self.assertIn("`%s`" % name, read("README.md"))

    def test_the_links_are_not_dead(self):
        links = re.findall(r"\]\(([^)#]+)[^)]*\)", read(DIRECTORY, "README.md"))
        self.assertGreater(len(links), 10)
        self.assertEqual(
            [link for link in links if not os.path.exists(os.path.join(DIRECTORY, link))], [])


if __name__ == "__main__":
    unittest.main()
