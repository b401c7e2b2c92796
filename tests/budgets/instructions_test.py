"""Counts the instructions of a get and of a put, and holds them against instructions.txt.

    instructions_test.py WORKLOAD INSTRUCTIONS_TXT

Instructions are the one measure of speed that a busy machine does not change. Callgrind counts
those of the calling thread between entering and leaving the workload's functions, the kernel's
excluded. A figure that strays from the file by more than TOLERANCE fails the test, downwards too: then
the file is to be brought up to date. A budget is met or not met, which is shown; losing one that
the file says is met fails the test as well. Other compilers make other instructions, so that with another
than the file names nothing can be said, nor without valgrind; the test then says so and passes.
"""

import os
import re
import subprocess
import sys
import tempfile

TOLERANCE = 0.03


def skip(reason):
    print("*" * 80 + "\nSKIPPED, NOTHING WAS TESTED: " + reason + "\n" + "*" * 80)
    sys.exit(0)


def expected_figures(path):
    """The compiler, and name -> (instructions, budget or None)."""
    compiler, figures = "", {}
    with open(path) as lines:
        for line in lines:
            words = line.split("#")[0].split()
            if not words:
                continue
            if words[0] == "compiler":
                compiler = " ".join(words[1:])
            else:
                budget = None if words[2] == "-" else float(words[2])
                figures[words[0]] = (float(words[1]), budget)
    return compiler, figures


def inclusive_costs(path, names):
    """Name of the function -> instructions of it and all it called, from callgrind's output."""
    costs = {name: 0 for name in names}
    known = {}
    current = None
    with open(path) as lines:
        for line in lines:
            function = re.match(r"fn=\((\d+)\)(?: (.*))?", line)
            if function:
                number, name = function.groups()
                if name:
                    known[number] = name
                current = known.get(number)
            elif current in costs and re.match(r"[\d+*-]", line):
                # A line of the function's own, or what a call cost altogether.
                costs[current] += int(line.split()[1])
            elif re.match(r"cfn=\((\d+)\) ", line):
                number, name = re.match(r"cfn=\((\d+)\) (.*)", line).groups()
                known[number] = name
    return costs


def count(workload, names, directory):
    """Runs the workload under callgrind; its output, and name -> instructions of all operations."""
    path = os.path.join(directory, "callgrind.out")
    functions = ["budget_" + name for name in names]
    command = ["valgrind", "--tool=callgrind", "--collect-atstart=no",
               "--callgrind-out-file=" + path]
    command += ["--toggle-collect=" + function for function in functions]
    command += [workload, os.path.join(directory, "db")]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              universal_newlines=True)
    except FileNotFoundError:
        skip("valgrind is not installed")
    if done.returncode != 0:
        # A workload that fails under valgrind must not pass for a missing tool.
        plain = subprocess.run([workload, os.path.join(directory, "plain")],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               universal_newlines=True)
        if plain.returncode == 0 and "unhandled instruction" in done.stderr:
            skip("this valgrind does not know this processor's instructions:\n" +
                 done.stderr[-2000:])
        sys.exit("the workload failed:\n" + done.stdout + done.stderr + plain.stderr)
    costs = inclusive_costs(path, functions)
    return done.stdout, {name: costs["budget_" + name] for name in names}


def main():
    workload, instructions = sys.argv[1:]
    wanted_compiler, expected = expected_figures(instructions)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR")) as directory:
        output, counted = count(workload, list(expected), directory)
    properties = dict(line.split(" ", 1) for line in output.splitlines())
    failures = []
    for name, (wanted, budget) in expected.items():
        if counted[name] == 0:
            failures.append("%s: callgrind counted nothing" % name)
            continue
        found = counted[name] / float(properties[name])
        print("%-14s %7.1f instructions, %7.1f expected%s" % (
            name, found, wanted, ", budget %.0f: %s" % (
                budget, "met" if found <= budget else "NOT MET") if budget else ""))
        if abs(found - wanted) > TOLERANCE * wanted:
            failures.append("%s takes %.1f instructions instead of %.1f: if that is meant, write %.0f "
                            "into instructions.txt" % (name, found, wanted, found))
        if budget and found > budget >= wanted:
            failures.append("%s takes %.1f instructions; its budget of %.0f was met" % (
                name, found, budget))
    if properties["build"] != "optimized":
        skip("this build is not optimized, or has sanitizers")
    if properties["compiler"].split(" ")[0] != wanted_compiler:
        skip("instructions.txt is for compiler %s, this is %s" % (
            wanted_compiler, properties["compiler"]))
    if failures:
        sys.exit("FAILED\n" + "\n".join(failures))


main()
