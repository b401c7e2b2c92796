"""What the public headers ask of a program that includes them.

    public_headers_test.py LABELS

LABELS is a file of the labels of all headers that are offered as "rumcask/NAME".
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

COMPILER = os.environ.get("CC", "c++")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def paths_of(labels):
    """"//core:db.h" is the file core/db.h."""
    return [label[2:].replace(":", "/") for label in read(labels).split()]


HEADERS = paths_of(sys.argv[1])


def name_of(path):
    return "rumcask/" + os.path.basename(path)


def compile_as(standard, names):
    """Includes the headers in a directory where nothing else of this project is."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR")) as directory:
        os.mkdir(os.path.join(directory, "rumcask"))
        for path in HEADERS:
            os.symlink(os.path.realpath(path), os.path.join(directory, name_of(path)))
        return subprocess.run(
            [COMPILER, "-x", "c++", "-std=" + standard, "-fsyntax-only", "-I", directory, "-"],
            input="".join('#include "%s"\n' % name for name in names),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)


class PublicHeadersTest(unittest.TestCase):

    def test_all_are_looked_at(self):
        for name in ("db.h", "open.h", "lmdb_keystore.h", "by_name.h", "fault_file_system.h",
                     "prometheus_text.h"):
            self.assertIn("rumcask/" + name, [name_of(path) for path in HEADERS])

    def test_no_two_have_one_name(self):
        self.assertEqual(len({name_of(path) for path in HEADERS}), len(HEADERS))

    def test_they_name_each_other_by_their_public_names(self):
        # A program may have a folder core/ of its own, and the compiler looks there first.
        offered = {name_of(path) for path in HEADERS}
        wrong = []
        for path in HEADERS:
            for included in re.findall(r'^\s*#\s*include\s+["<]([^">]+)', read(path), re.MULTILINE):
                if re.match("(core|keystores|tests|tools)/", included) or (
                        included.startswith("rumcask/") and included not in offered):
                    wrong.append("%s includes %s" % (path, included))
        self.assertEqual(wrong, [])

    def test_they_need_nothing_of_this_project_but_each_other(self):
        done = compile_as("c++17", [name_of(path) for path in HEADERS])
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_an_older_standard_is_told_how_to_mend_it_and_nothing_else(self):
        for path in HEADERS:
            if "/conformance/" in path:
                continue  # They need GoogleTest as well, which has an opinion of its own.
            said = compile_as("c++14", [name_of(path)]).stdout
            errors = re.findall(r"error: (.*)", said)
            self.assertEqual(len(errors), 2, path + ":\n" + said)
            self.assertIn("build --cxxopt=-std=c++17", errors[0])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
