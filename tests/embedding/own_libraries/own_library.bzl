"""A library that this project had before it began to use rumcask."""

_OWN = """load("@rules_cc//cc:cc_library.bzl", "cc_library")

cc_library(
    name = "own",
    linkopts = {linkopts},
    visibility = ["//visibility:public"],
)
"""

_ALIASES = """
[alias(
    name = name,
    actual = "//:own",
    visibility = ["//visibility:public"],
) for name in {names}]
"""

def _own_library_impl(ctx):
    done = ctx.execute(["pkg-config", "--libs"] + ctx.attr.pkg_config)
    if done.return_code != 0:
        fail(done.stderr)
    own = _OWN.format(linkopts = done.stdout.strip().split(" "))
    ctx.file("BUILD.bazel", own + _ALIASES.format(names = ctx.attr.targets.get("", [])))
    for package, names in ctx.attr.targets.items():
        if package:
            ctx.file(package + "/BUILD.bazel", _ALIASES.format(names = names))

own_library = repository_rule(
    implementation = _own_library_impl,
    doc = "The system's library, found in another way than rumcask_deps() finds it: //:own, and aliases.",
    attrs = {
        "pkg_config": attr.string_list(doc = "What pkg-config calls it, or parts of it."),
        "targets": attr.string_list_dict(doc = "Package -> aliases."),
    },
)
