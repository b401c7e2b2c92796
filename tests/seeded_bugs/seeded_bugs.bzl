"""Tests of tests: each seeded bug and who catches it."""

def seeded_bug_tests(name, bugs):
    """For each bug a test that passes if the named test fails on it.

    They can only pass with --config=seeded_bugs, so they are left out of //...

    Args:
      name: a test_suite of all of them.
      bugs: a list of (bug, test label, gtest filter).
    """
    for (bug, test, pattern) in bugs:
        native.sh_test(
            name = bug,
            size = "medium",
            srcs = ["must_fail.sh"],
            args = [bug, "'%s'" % pattern, "$(rootpath %s)" % test],
            data = [test],
            tags = ["manual"],
        )
    native.test_suite(
        name = name,
        tags = ["manual"],
        tests = [bug for (bug, _, _) in bugs],
    )
