"""What `rumcask stats --format prometheus` prints, read by the parser of Prometheus's own library.

    prometheus_test.py RUMCASK

RUMCASK is the command.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

from prometheus_client import parser

RUMCASK = os.path.abspath(sys.argv.pop(1))
# Bytes that have a meaning in labels.
NAME = 'a "b" \\c\nd \u00e9'
# What is no figure of the statistics, but follows from two of them.
DERIVED = {"dead_bytes", "segments_dead_bytes"}
# Tells segments apart. How many of them are in which state is a figure.
NAMES = {"segments_id", "segments_sealed"}
# Depends on how threads have shared the reading of segments at each opening.
VARIES = {"index_bytes"}


def run(*arguments, **options):
    done = subprocess.run([RUMCASK, *arguments], stdout=subprocess.PIPE, check=True, **options)
    return done.stdout.decode()


def figures(value, path):
    """The numbers of a JSON value as (path, number); those of a list's elements have one path."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from figures(member, path + [name])
    elif isinstance(value, list):
        for element in value:
            yield from figures(element, path)
    elif isinstance(value, (bool, int)):
        yield "_".join(path), int(value)


class PrometheusTest(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        os.chdir(directory.name)

    def fill(self, keystore):
        lines = "".join("key %d;%s\n" % (i % 900, "v" * i) for i in range(1000))
        run("load", NAME, "-", "--separator", ";", "--keystore", keystore, input=lines.encode())
        run("delete", NAME, "key 1")

    def families(self):
        text = run("stats", NAME, "--format", "prometheus")
        self.assertTrue(text.endswith("\n"))
        return list(parser.text_string_to_metric_families(text))

    def test_every_number_of_json_is_there(self):
        for keystore in "hash", "lmdb":
            self.fill(keystore)
            samples = {}
            for family in self.families():
                for sample in family.samples:
                    samples.setdefault(sample.name, []).append(sample)
            sums = {}
            for name, number in figures(json.loads(run("stats", NAME, "--json")), []):
                sums[name] = sums.get(name, 0) + number
            self.assertIn("recovery_was_clean", sums)
            self.assertIn("segments_records", sums)
            self.assertEqual("index_version" in sums, keystore == "lmdb")
            for name in sums.keys() - DERIVED - NAMES:
                found = samples.get("rumcask_" + name, [])
                self.assertTrue(found, name)
                if name not in VARIES:
                    self.assertEqual(sum(sample.value for sample in found), sums[name], name)
            self.assertTrue(DERIVED | NAMES <= sums.keys())
            in_state = {sample.labels["state"]: sample.value
                        for sample in samples["rumcask_segments"]}
            self.assertEqual(in_state["sealed"], sums["segments_sealed"])
            self.assertGreater(in_state["open"] + in_state["sealed"], 0)
            subprocess.run(["rm", "-r", "--", NAME], check=True)

    def test_it_is_as_prometheus_wants_it(self):
        self.fill("hash")
        series = []
        for family in self.families():
            self.assertIn(family.type, ("gauge", "counter"), family.name)
            # It stands alone there, and not in a list as here.
            self.assertRegex(family.documentation, r"^(?!Of )[A-Z].*\.$", family.name)
            self.assertNotRegex(family.documentation, r"\b(them|those),", family.name)
            self.assertTrue(family.samples, family.name)
            for sample in family.samples:
                self.assertRegex(sample.name, "^rumcask_[a-z_]+$")
                self.assertEqual(sample.name.endswith("_total"), family.type == "counter")
                self.assertEqual(sample.labels["database"], os.path.realpath(NAME))
                self.assertEqual(sample.labels["keystore"], "hash")
                self.assertEqual("state" in sample.labels, sample.name.startswith("rumcask_segments"))
                series.append((sample.name, tuple(sorted(sample.labels.items()))))
        self.assertEqual(len(series), len(set(series)))
        self.assertGreater(len(series), 50)


if __name__ == "__main__":
    unittest.main()
