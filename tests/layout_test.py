"""How core/ is laid out: who includes whom, and how large folders and files are.

    layout_test.py DESIGN SOURCES...

DESIGN is core/DESIGN.md, whose block under "What may include what" is the rule; SOURCES are the files
of core/ and its folders.
"""

import collections
import os
import re
import sys
import unittest

DESIGN, *SOURCES = sys.argv[1:]
DOOR = "core"


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def folder_of(path):
    return os.path.dirname(path)


def is_test(path):
    return path.endswith("_test.cc") or folder_of(path) == "core/testing"


SOURCES = [path for path in SOURCES if path.endswith((".h", ".cc"))]
PRODUCT = [path for path in SOURCES if not is_test(path)]
PUBLIC = {"rumcask/" + os.path.basename(path): path for path in PRODUCT if path.endswith(".h")}


def rule():
    """From each place to those that it may include, as DESIGN.md has it."""
    block = re.search(r"What may include what\n.*?```\n(.*?)```", read(DESIGN), re.DOTALL).group(1)
    places = {}
    for line in block.splitlines():
        place, _, allowed = line.partition(":")
        places[place.strip()] = allowed.split()
    return places


def included_by(path):
    """The files of core/ that a file of core/ includes."""
    names = re.findall(r'^#include "((?:core|rumcask)/[^"]+)"', read(path), re.MULTILINE)
    return [PUBLIC.get(name, name) for name in names]


class LayoutTest(unittest.TestCase):

    def place_of(self, path, places):
        """A header that the rule names is a place of its own; any other file is its folder's."""
        return path if path in places else folder_of(path)

    def test_every_include_is_one_that_the_rule_allows(self):
        places = rule()
        self.assertEqual({folder_of(path) for path in PRODUCT} - set(places), set())
        wrong = []
        for path in PRODUCT:
            place = self.place_of(path, places)
            for included in included_by(path):
                self.assertIn(included, PRODUCT, path)
                other = self.place_of(included, places)
                if other != place and other not in places[place]:
                    wrong.append("%s includes %s" % (path, included))
        self.assertEqual(wrong, [])

    def test_the_rule_has_no_circle_and_allows_nothing_that_is_not_used(self):
        places = rule()
        used = collections.defaultdict(set)
        for path in PRODUCT:
            for included in included_by(path):
                used[self.place_of(path, places)].add(self.place_of(included, places))
        above = []  # A place stands below all that come after it.
        for place, allowed in places.items():
            self.assertEqual([other for other in allowed if other not in above], [], place)
            self.assertEqual([other for other in allowed if other not in used[place]], [], place)
            above.append(place)

    def test_what_a_program_gets_with_db_h_is_little(self):
        seen = set()
        waiting = ["core/db.h"]
        while waiting:
            for included in included_by(waiting.pop()):
                if included not in seen:
                    seen.add(included)
                    waiting.append(included)
        self.assertLessEqual(len(seen), 8, seen)

    def test_folders_and_files_are_small(self):
        sizes = collections.Counter(folder_of(path) for path in PRODUCT)
        self.assertEqual({name: size for name, size in sizes.items() if size > 30}, {})
        lines = {path: read(path).count("\n") for path in SOURCES}
        self.assertEqual({path: count for path, count in lines.items() if count > 500}, {})

    def test_some_things_are_done_in_one_place(self):
        for pattern, place, others in [
            # Kinds of records are compared in one table, so that a new one is right everywhere.
            (r"[!=]= *RecordKind::|RecordKind::k\w+ *[!=]=|"
             r"case RecordKind::", "core/format/", ()),
            # Files that are not believed are read through SegmentFile.
            (r"\bSegmentScanner\b", "core/segment/", ()),
            (r"\bSectorReader\b", "core/segment/", ("core/system/", "core/format/manifest.cc")),
            # MANIFEST has one writer.
            (r"\bWriteManifest\(", "core/log/live_set.cc", ("core/format/manifest.",)),
            # Live bytes are counted in one place.
            (r"\blive_bytes_\b", "core/log/space.h", ("core/log/segment.h",)),
        ]:
            found = [path for path in PRODUCT if re.search(pattern, read(path))]
            self.assertTrue(any(path.startswith(place) for path in found), pattern)
            self.assertEqual([path for path in found if not path.startswith((place,) + others)], [])

    def test_it_looks_at_something(self):
        self.assertGreater(len(PRODUCT), 90)
        self.assertIn("core/format/format.h", included_by("core/format/key_table.h"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
