#!/usr/bin/env python3
"""Makes Bazel modules of the libraries that are installed on the system.

    tools/build_defs/system_modules.py DIRECTORY

Bazel 7 and later read MODULE.bazel and would download the modules that it names from a registry.
This writes a module for each library into DIRECTORY, and DIRECTORY/bazelrc, which puts them in the
registry's place. A project that embeds rumcask then needs one line in its .bazelrc:

    import DIRECTORY/bazelrc

The libraries are those that MODULE.bazel names, their targets those of deps.bzl beside this file.
"""

import ast
import os
import sys

# Debian's Bazel brings its own rules, but not these. bazel_tools names them for builds that are not
# C++, so Bazel looks for them all the same.
UNUSED = ["apple_support", "buildozer", "protobuf", "zlib"]

MODULE = """module(name = "{name}")

bazel_dep(name = "rumcask")

libraries = use_extension("@rumcask//tools/build_defs:extensions.bzl", "system_libraries")
use_repo(libraries, system = "{name}")
"""

UNUSED_MODULE = """module(name = "{name}")
"""

# What bazel_tools loads from it when it reads its MODULE.bazel.
BUILDOZER_BINARY = """buildozer_binary = module_extension(implementation = lambda _: None)
"""

ALIAS = """alias(
    name = "{name}",
    actual = "@system//{package}:{name}",
    visibility = ["//visibility:public"],
)
"""


def parsed(*path):
    """The statements of a file of this project. Starlark's syntax is Python's."""
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    with open(os.path.join(root, *path), encoding="utf-8") as file:
        return ast.parse(file.read()).body


def dependencies():
    """What an embedding project's Bazel looks for: overriding any other module is an error."""
    for statement in parsed("MODULE.bazel"):
        if isinstance(statement, ast.Expr) and statement.value.func.id == "bazel_dep":
            arguments = {keyword.arg: keyword.value.value for keyword in statement.value.keywords}
            if not arguments.get("dev_dependency"):
                yield arguments["name"]


def libraries():
    """Module -> package -> targets."""
    values = {
        statement.targets[0].id: statement.value
        for statement in parsed("tools", "build_defs", "deps.bzl")
        if isinstance(statement, ast.Assign)
    }
    abseil = {
        "absl/" + package: targets
        for package, targets in ast.literal_eval(values["_ABSEIL_TARGETS"]).items()
    }
    system = values["SYSTEM_LIBRARIES"]
    found = {}
    for name, struct in zip(system.keys, system.values):
        fields = {keyword.arg: ast.literal_eval(keyword.value) for keyword in struct.keywords}
        found[name.value] = {"": list(fields["targets"])} if fields["targets"] else abseil
    return {name: found[name] for name in dependencies() if name in found}


def write(directory, name, content):
    path = os.path.join(directory, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    directory = os.path.abspath(sys.argv[1])
    flags = []
    found = libraries()
    for name in list(found) + UNUSED:
        module = os.path.join(directory, name)
        flags.append("common --override_module=%s=%s\n" % (name, module))
        write(module, "BUILD.bazel", "")
        write(module, "MODULE.bazel", (MODULE if name in found else UNUSED_MODULE).format(name=name))
        for package, targets in found.get(name, {}).items():
            write(module, os.path.join(package, "BUILD.bazel"), "\n".join(
                ALIAS.format(name=target, package=package) for target in targets))
    write(directory, "buildozer/buildozer_binary.bzl", BUILDOZER_BINARY)
    write(directory, "bazelrc", "".join(flags))


main()
