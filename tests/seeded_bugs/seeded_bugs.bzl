"""Tests of tests: each seeded bug and who catches it."""

def seeded_bug_tests(name, bugs):
    """For each bug a test that passes if the named test fails on it.

    They can only pass with --config=seeded_bugs, so they are left out of //...

    Args:
      name: a test_suite of all of them.
      bugs: a list of (bug, test label, gtest filter). The test is named after the
        bug, and if the bug comes again after who catches it as well.
    """
    names = []
    for (bug, test, pattern) in bugs:
        names.append(bug if bug not in names else bug + "-" + test.split(":")[-1])
        native.sh_test(
            name = names[-1],
            size = "medium",
            srcs = ["must_fail.sh"],
            args = [bug, "'%s'" % pattern, "$(rootpath %s)" % test],
            data = [test],
            # Enough of them for each bug.
            env = {"RUMCASK_SCHEDULES": "1500"},
            # Some mount, which Bazel's sandbox does not allow.
            tags = ["manual"] + (["local"] if "/full_disk:" in test else []),
        )
    native.test_suite(
        name = name,
        tags = ["manual"],
        tests = names,
    )
