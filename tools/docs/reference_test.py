"""The reference has everything that the public headers offer, and says so if it has not.

    reference_test.py PROGRAM README LABELS

PROGRAM is reference.py; README and LABELS are what it is given.
"""

import html
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.parse

PROGRAM, README, LABELS = sys.argv[1:]

# What it must not take for its own, neither as commands nor as HTML.
STRANGE = r"a <b>b</b> <b @param no \ref #1 100 %d &lt; </code> --x"


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def write(text, *path):
    with open(os.path.join(*path), "w", encoding="utf-8") as file:
        file.write(text)


HEADERS = [label[2:].replace(":", "/") for label in read(LABELS).split()]


def name_of(path):
    return "rumcask/" + os.path.basename(path)


def make(directory, sources="."):
    """The reference of the headers below `sources`."""
    return subprocess.run(
        ["python3", os.path.abspath(PROGRAM), directory, README, LABELS], cwd=sources,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)


def make_changed(path, old, new):
    """The pages, and what is said, after a change of one file."""
    with tempfile.TemporaryDirectory() as directory:
        sources = os.path.join(directory, "sources")
        for file in HEADERS + [README, LABELS]:
            os.makedirs(os.path.dirname(os.path.join(sources, file)), exist_ok=True)
            shutil.copyfile(file, os.path.join(sources, file))
        text = read(path)
        if text.count(old) != 1:
            raise AssertionError("%s must have once: %s" % (path, old))
        write(text.replace(old, new), sources, path)
        done = make(os.path.join(directory, "reference"), sources)
        return done.returncode, done.stdout, pages_of(os.path.join(directory, "reference"))


def pages_of(directory):
    return {name: read(directory, name)
            for name in (os.listdir(directory) if os.path.exists(directory) else [])
            if name.endswith(".html")}


def first_comment_of(path):
    return re.sub("^// ?", "", re.match("(//.*\n)+", read(path)).group(), flags=re.MULTILINE)


def letters_of(text):
    return re.sub(r"\W", "", text)


def text_of(page):
    return html.unescape(re.sub(r"<[^>]*>", "", page))


def page_named(pages, title):
    return [page for page in pages.values() if "<title>rumcask: %s<" % title in page]


class ReferenceTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.directory = os.path.join(os.environ["TEST_TMPDIR"], "reference")
        cls.done = make(cls.directory)
        cls.pages = pages_of(cls.directory)

    def test_doxygen_has_nothing_to_warn_of(self):
        self.assertEqual((self.done.returncode, self.done.stdout), (0, ""))

    def test_the_first_page_lists_every_header_with_its_first_sentence(self):
        rows = [tuple(text_of(cell).strip() for cell in re.findall(r"<td>(.*?)</td>", row, re.DOTALL))
                for row in re.findall(r"<tr>(.*?)</tr>", self.pages["index.html"], re.DOTALL)]
        expected = []
        for path in HEADERS:
            comment = first_comment_of(path).replace("\n", " ")
            expected.append((name_of(path), re.match(r".*?\.(?= |$)", comment).group()))
        self.assertGreater(len(expected), 30)
        self.assertEqual(sorted(rows), sorted(expected))

    def test_every_header_has_a_page_that_tells_all_that_its_first_comment_tells(self):
        for path in HEADERS:
            pages = page_named(self.pages, name_of(path) + " File Reference")
            self.assertEqual(len(pages), 1, path)
            told = letters_of(text_of(pages[0]))
            for paragraph in first_comment_of(path).split("\n\n"):
                self.assertIn(letters_of(re.sub(" Public[.;].*", "", paragraph)), told, path)

    def test_all_that_db_h_offers_is_described(self):
        public = re.search(r"^class DB \{\n public:\n(.*?)^ private:", read("core/db.h"),
                           re.DOTALL | re.MULTILINE).group(1)
        code = re.sub(r"//.*", "", public)
        declared = re.findall(r"([~\w=]+)\((?![^;]*= delete;)[^;]*;", code)
        self.assertGreater(len(declared), 20)
        page, = page_named(self.pages, "rumcask::DB Class Reference")
        described = re.findall(
            r'class="memItemRight"[^>]*>(.*) \(.*\n'
            r'<tr class="memdesc:.*class="mdescRight">(.*)<', page)
        names = [text_of(name) for name, description in described if text_of(description).strip()]
        self.assertEqual(sorted(names), sorted(declared))

    def test_examples_are_code(self):
        page, = page_named(self.pages, "rumcask/db.h File Reference")
        code = "".join(re.findall(r'<div class="fragment">(.*?)</div><!-- fragment', page, re.DOTALL))
        self.assertIn('absl::Status s = (*db)->Put("key", "value");', text_of(code))

    def test_no_link_is_dead_and_nothing_comes_from_elsewhere(self):
        for name, page in self.pages.items():
            for kind, link in re.findall(r'\b(href|src)="([^"]*)"', page):
                url = urllib.parse.urlparse(html.unescape(link))
                if url.netloc:
                    self.assertEqual((kind, url.netloc), ("href", "www.doxygen.org"), name)
                elif url.scheme != "javascript":
                    path = os.path.join(self.directory, urllib.parse.unquote(url.path))
                    self.assertTrue(os.path.exists(path), name + " links to " + link)

    def test_no_header_is_named_that_is_not_offered(self):
        offered = {name_of(path) for path in HEADERS}
        for name, page in self.pages.items():
            named = set(re.findall(r"\brumcask/\w+\.h\b", text_of(page)))
            self.assertEqual(named - offered, set(), name)

    def test_a_function_without_a_comment_is_an_error(self):
        close = "  absl::Status Close();\n"
        returned, said, _ = make_changed("core/db.h", close, close + "  int Undescribed();\n")
        self.assertNotEqual(returned, 0)
        self.assertRegex(said, r"rumcask/db\.h:\d+: error: Member Undescribed\(\).* is not documented")

    def test_a_header_that_is_left_out_is_an_error(self):
        returned, said, _ = make_changed(LABELS, "//core:iterator.h\n", "")
        self.assertNotEqual(returned, 0)
        self.assertIn("iterator.h", said)

    def test_naming_what_is_not_there_is_an_error(self):
        returned, said, _ = make_changed("core/db.h", "WriteOptions::sync,", "WriteOptions::snc,")
        self.assertNotEqual(returned, 0)
        self.assertIn("WriteOptions::snc", said)

    def test_comments_are_text_whatever_is_in_them(self):
        sentence = "// Moves to the next key."
        returned, said, pages = make_changed(
            "core/iterator.h", sentence, sentence + " %s `%s`." % (STRANGE, STRANGE))
        self.assertEqual((returned, said), (0, ""))
        page, = page_named(pages, "rumcask::Iterator Class Reference")
        self.assertEqual(text_of(page).count(STRANGE), 2)


if __name__ == "__main__":
    if shutil.which("doxygen") is None:
        print("SKIPPED: there is no doxygen")
        sys.exit()
    unittest.main(argv=sys.argv[:1])
