"""The C++ rules of this project: the ordinary ones plus its warnings.

Use these instead of cc_library, cc_binary and cc_test in every package.
"""

load("@rules_cc//cc:cc_binary.bzl", "cc_binary")
load("@rules_cc//cc:cc_library.bzl", "cc_library")
load("@rules_cc//cc:cc_test.bzl", "cc_test")

_WARNINGS = [
    # Some of the warnings below exist in only one of the compilers.
    "-Wno-unknown-warning-option",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wcast-qual",
    "-Wextra-semi",
    "-Wfloat-conversion",
    "-Wformat=2",
    "-Wnon-virtual-dtor",
    "-Woverloaded-virtual",
    "-Wshadow",
    "-Wundef",
    "-Wvla",
    # GCC 12 falsely reports these at -O2 inside inlined standard headers.
    "-Wno-error=array-bounds",
    "-Wno-error=free-nonheap-object",
    "-Wno-error=maybe-uninitialized",
    "-Wno-error=stringop-overflow",
    "-Wno-error=stringop-overread",
    "-Wno-restrict",
]

_CLANG_WARNINGS = _WARNINGS + [
    "-Wshorten-64-to-32",
    "-Wthread-safety",
]

def _label(name):
    # Resolved here, and not in the package that calls the macro.
    return str(Label("//tools/build_defs:" + name))

def _copts():
    # Empty in a project that embeds this one.
    return select({
        _label("clang_warnings"): _CLANG_WARNINGS,
        _label("gcc_warnings"): _WARNINGS,
        "//conditions:default": [],
    })

def _require_cxx17():
    return str(Label("//core/system:require_cxx17"))

def rumcask_cc_library(name, copts = [], **kwargs):
    """A cc_library with this project's warnings."""
    cc_library(name = name, copts = _copts() + copts, **kwargs)

def rumcask_cc_binary(name, copts = [], **kwargs):
    """A cc_binary with this project's warnings."""
    cc_binary(name = name, copts = _copts() + copts, **kwargs)

def rumcask_public_library(name, deps = [], **kwargs):
    """A library for everybody, whose headers in this package are included as "rumcask/NAME.h"."""
    rumcask_cc_library(
        name = name,
        include_prefix = "rumcask",
        strip_include_prefix = "/" + native.package_name(),
        visibility = ["//visibility:public"],
        deps = deps + [_require_cxx17()],
        **kwargs
    )

def rumcask_cc_test(
        name,
        srcs = None,
        deps = [],
        gtest = "@googletest//:gtest_main",
        copts = [],
        size = "small",
        linkstatic = True,
        **kwargs):
    """A cc_test with this project's warnings, linked like our binaries are.

    Args:
      name: name of the test.
      srcs: as for cc_test; NAME.cc if left out.
      deps: as for cc_test.
      gtest: another dependency. None for a test that is not made with GoogleTest.
      copts: as for cc_test.
      size: as for cc_test.
      linkstatic: as for cc_test.
      **kwargs: as for cc_test.
    """
    cc_test(
        name = name,
        size = size,
        srcs = srcs or [name + ".cc"],
        copts = _copts() + copts,
        linkstatic = linkstatic,
        deps = deps + ([gtest] if gtest else []),
        **kwargs
    )

def rumcask_unit_tests(names, deps):
    """Small tests that lie beside what they test, and depend on the same few libraries.

    Args:
      names: of the tests, each of which has the source NAME.cc.
      deps: of each of them.
    """
    for name in names:
        rumcask_cc_test(name = name, deps = deps)

def rumcask_cc_fuzz_test(name, srcs, corpus = [], deps = [], copts = [], size = "medium", **kwargs):
    """A libFuzzer target that is a regression test over its corpus otherwise.

    `bazel test` replays the corpus. `bazel test --config=fuzz` fuzzes for 60
    seconds from it. `bazel run --config=fuzz //some:target -- -max_total_time=0
    DIR` fuzzes on, keeping new inputs in DIR.

    Args:
      name: name of the test.
      srcs: sources that define LLVMFuzzerTestOneInput and no main.
      corpus: files, each an input to start from.
      deps: as for cc_test.
      copts: as for cc_test.
      size: as for cc_test.
      **kwargs: as for cc_test.
    """
    paths = ["$(rootpath %s)" % file for file in corpus]
    seeds = ["-seed_inputs=" + ",".join(paths)] if corpus else []
    cc_test(
        name = name,
        size = size,
        srcs = srcs,
        args = select({
            _label("fuzz"): ["-max_total_time=60"] + seeds,
            "//conditions:default": paths,
        }),
        copts = _copts() + copts,
        data = corpus,
        linkopts = select({
            _label("fuzz"): ["-fsanitize=fuzzer"],
            "//conditions:default": [],
        }),
        linkstatic = True,
        deps = deps + select({
            _label("fuzz"): [],
            "//conditions:default": [_label("replay_main")],
        }),
        **kwargs
    )
