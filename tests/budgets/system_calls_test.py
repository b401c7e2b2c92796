"""Counts the system calls of puts.

    system_calls_test.py WORKLOAD

strace writes down the calls of all threads; marks of the workload tell where the puts begin and
end. The putting thread may make fewer than one call for 1,000 puts. What the background threads
call meanwhile is shown, and bounded too, lest the work only move there.

How often two threads meet at a lock, and the system is called to wake one of them, depends on what
else the machine does: it only adds calls. So a run whose puts made too many is repeated, and the
budgets of puts have to be met together in one of RUNS. Reads make no call in any run.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections import Counter

WRITER_BUDGET = 1.0
BACKGROUND_BUDGET = 5.0
RUNS = 5


def skip(reason):
    print("*" * 80 + "\nSKIPPED, NOTHING WAS TESTED: " + reason + "\n" + "*" * 80)
    sys.exit(0)


def trace(workload, directory):
    """The workload's output and strace's lines, or skips."""
    path = os.path.join(directory, "trace")
    command = ["strace", "-f", "-qq", "-o", path]
    try:
        can = subprocess.run(command + ["true"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             universal_newlines=True)
    except FileNotFoundError:
        skip("strace is not installed")
    if can.returncode != 0:
        skip("strace cannot attach: " + can.stderr.strip())
    done = subprocess.run(command + [workload, os.path.join(directory, "db")],
                          stdout=subprocess.PIPE, universal_newlines=True)
    if done.returncode != 0:
        sys.exit("the workload failed")
    with open(path) as lines:
        return done.stdout, lines.read().splitlines()


def calls_between(lines, name):
    """Calls of the thread that set the marks, and of all others, between the marks of `name`."""
    writer, background = Counter(), Counter()
    marked_by = None
    for line in lines:
        found = re.match(r"(\d+) +(?:<\.\.\. )?(\w+)", line)
        if not found or " resumed>" in line:
            continue
        thread, call = found.groups()
        if "/budget/%s/begin" % name in line:
            marked_by = thread
        elif "/budget/%s/end" % name in line:
            return writer, background
        elif marked_by is not None:
            (writer if thread == marked_by else background)[call] += 1
    sys.exit("the marks of %s are missing" % name)


def failures_of_one_run(workload):
    with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR")) as directory:
        output, lines = trace(workload, directory)
    operations = dict(line.split(" ", 1) for line in output.splitlines())
    failures = []
    for name in ("put", "overwrite"):
        counted = calls_between(lines, name)
        for who, calls, budget in zip(("writer", "background"), counted,
                                      (WRITER_BUDGET, BACKGROUND_BUDGET)):
            rate = 1000.0 * sum(calls.values()) / int(operations[name])
            print("%-10s %-11s %.3f system calls per 1,000 puts: %s" % (
                name, who, rate, dict(calls.most_common())))
            if rate >= budget:
                failures.append("%s: %.3f system calls per 1,000 puts in the %s; fewer than %.0f are "
                                "allowed" % (name, rate, who, budget))
    for name in ("get", "get_missing", "multi_get"):
        writer, _ = calls_between(lines, name)
        print("%-10s %d system calls" % (name, sum(writer.values())))
        if writer:
            sys.exit("FAILED: %s makes system calls: %s" % (name, dict(writer)))
    return failures


def main():
    for _ in range(RUNS):
        failures = failures_of_one_run(sys.argv[1])
        if not failures:
            return
        print("\n".join(failures))
    sys.exit("FAILED: the budgets were met in none of %d runs" % RUNS)


main()
