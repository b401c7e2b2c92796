"""The repositories that rumcask needs, from libraries installed on the system.

Call rumcask_deps() in WORKSPACE. Nothing is downloaded, except that npm brings
uPlot when the command line is built. A library is looked for only when a target
that needs it is built: a program with the hash keystore needs neither LMDB nor
RocksDB. Labels are those of the Bazel Central Registry.
"""

# Repository -> header that shows that it is installed, Debian package, and targets as {"name":
# libraries to link with}, with dependents before their dependencies.
SYSTEM_LIBRARIES = {
    # Its targets are in _ABSEIL_TARGETS.
    "abseil-cpp": struct(
        header = "absl/base/config.h",
        package = "libabsl-dev",
        targets = {},
    ),
    "cli11": struct(
        header = "CLI/CLI.hpp",
        package = "libcli11-dev",
        targets = {"cli11": []},
    ),
    "google_benchmark": struct(
        header = "benchmark/benchmark.h",
        package = "libbenchmark-dev",
        targets = {
            "benchmark": ["benchmark", "pthread"],
            "benchmark_main": ["benchmark_main", "benchmark", "pthread"],
        },
    ),
    "googletest": struct(
        header = "gmock/gmock.h",
        package = "libgtest-dev libgmock-dev",
        targets = {
            "gtest": ["gmock", "gtest", "pthread"],
            "gtest_main": ["gmock_main", "gmock", "gtest", "pthread"],
        },
    ),
    "leveldb": struct(
        header = "leveldb/db.h",
        package = "libleveldb-dev",
        targets = {"leveldb": ["leveldb", "pthread"]},
    ),
    "libcsv": struct(
        header = "csv.h",
        package = "libcsv-dev",
        targets = {"libcsv": ["csv"]},
    ),
    "libfuse": struct(
        header = "fuse3/fuse_lowlevel.h",
        package = "libfuse3-dev fuse3",
        targets = {"libfuse": ["fuse3", "pthread"]},
    ),
    "lmdb": struct(
        header = "lmdb.h",
        package = "liblmdb-dev",
        targets = {"lmdb": ["lmdb", "pthread"]},
    ),
    "nlohmann_json": struct(
        header = "nlohmann/json.hpp",
        package = "nlohmann-json3-dev",
        targets = {"json": []},
    ),
    "rocksdb": struct(
        header = "rocksdb/db.h",
        package = "librocksdb-dev",
        targets = {"rocksdb": ["rocksdb", "pthread"]},
    ),
    "xxhash": struct(
        header = "xxhash.h",
        package = "libxxhash-dev",
        # The archive is used so that users of XXH_INLINE_ALL link with nothing.
        targets = {"xxhash": [":libxxhash.a"]},
    ),
}

# Package below @abseil-cpp//absl -> targets, as in Abseil itself. Each of them stands for the whole
# library.
_ABSEIL_TARGETS = {
    "algorithm": ["algorithm", "container"],
    "base": [
        "base",
        "config",
        "core_headers",
        "dynamic_annotations",
        "endian",
        "log_severity",
        "prefetch",
    ],
    "cleanup": ["cleanup"],
    "container": [
        "btree",
        "fixed_array",
        "flat_hash_map",
        "flat_hash_set",
        "inlined_vector",
        "node_hash_map",
        "node_hash_set",
    ],
    "debugging": ["failure_signal_handler", "leak_check", "stacktrace", "symbolize"],
    "flags": ["commandlineflag", "config", "flag", "marshalling", "parse", "reflection", "usage"],
    "functional": ["any_invocable", "bind_front", "function_ref"],
    "hash": ["hash", "hash_testing"],
    "memory": ["memory"],
    "meta": ["type_traits"],
    "numeric": ["bits", "int128"],
    "random": ["bit_gen_ref", "distributions", "random", "seed_sequences"],
    "status": ["status", "statusor"],
    "strings": ["cord", "str_format", "string_view", "strings"],
    "synchronization": ["synchronization"],
    "time": ["time"],
    "types": ["any", "compare", "optional", "span", "variant"],
    "utility": ["utility"],
}

_INCLUDE_DIRS = ["/usr/include", "/usr/local/include"]

_LIBRARY = """
cc_library(
    name = "{name}",
    srcs = {srcs},
    linkopts = {linkopts},
    linkstatic = True,
    visibility = ["//visibility:public"],
)
"""

_ALIAS = """
alias(
    name = "{name}",
    actual = "//:abseil",
    visibility = ["//visibility:public"],
)
"""

_LOAD = """load("@rules_cc//cc:cc_library.bzl", "cc_library")
"""

def _find_header(ctx, header, package):
    for include_dir in _INCLUDE_DIRS:
        if ctx.path(include_dir + "/" + header).exists:
            return
    fail("rumcask: system header %s/%s not found; apt-get install %s" %
         (_INCLUDE_DIRS[0], header, package))

def _pkg_config(ctx, *args):
    done = ctx.execute(["pkg-config"] + list(args))
    if done.return_code != 0:
        fail("rumcask: pkg-config does not find Abseil; apt-get install pkg-config libabsl-dev: " +
             done.stderr)
    return done.stdout.strip()

def _existing(ctx, directory, names, suffix):
    files = [directory + "/lib" + name + suffix for name in names]
    return [file for file in files if ctx.path(file).exists]

# Bazel links a lib*.a into programs and the lib*.pic.a beside it into shared objects. The linker
# takes both for scripts that name the files to link with.
#
# Programs are linked with the archives, from which the linker takes only what they use; with shared
# libraries they would load dozens of them at every start. Shared objects are linked with the shared
# libraries, because Debian's archives of Abseil are not position-independent.
_LINKER_SCRIPTS = ["libsystem.a", "libsystem.pic.a"]

def _linker_scripts(ctx, archives, shared_libraries):
    of_archives = "GROUP ( %s )\n" % " ".join(archives)
    of_shared_libraries = "GROUP ( AS_NEEDED ( %s ) )\n" % " ".join(shared_libraries)
    ctx.file("libsystem.a", of_archives if archives else of_shared_libraries)
    ctx.file("libsystem.pic.a", of_shared_libraries if shared_libraries else of_archives)

def _abseil(ctx):
    names = [
        line.split(" ")[0]
        for line in _pkg_config(ctx, "--list-all").splitlines()
        if line.startswith("absl_")
    ]
    opts = _pkg_config(ctx, "--libs-only-l", *names).split(" ")
    libraries = [opt[2:] for opt in opts if opt.startswith("-labsl_")]
    directory = _pkg_config(ctx, "--variable=libdir", "absl_base")
    _linker_scripts(
        ctx,
        _existing(ctx, directory, libraries, ".a"),
        _existing(ctx, directory, libraries, ".so"),
    )
    ctx.file("BUILD.bazel", _LOAD + _LIBRARY.format(
        name = "abseil",
        srcs = repr(_LINKER_SCRIPTS),
        linkopts = repr(["-lpthread", "-lrt"]),
    ))
    for package, targets in _ABSEIL_TARGETS.items():
        ctx.file("absl/" + package + "/BUILD.bazel", "".join([
            _ALIAS.format(name = target)
            for target in targets
        ]))

def _system_library_impl(ctx):
    library = SYSTEM_LIBRARIES[ctx.attr.library]
    _find_header(ctx, library.header, library.package)
    ctx.file("WORKSPACE", "")
    if ctx.attr.library == "abseil-cpp":
        _abseil(ctx)
        return
    ctx.file("BUILD.bazel", _LOAD + "".join([
        _LIBRARY.format(
            name = name,
            srcs = "[]",
            linkopts = repr(["-l" + lib for lib in libraries]),
        )
        for name, libraries in library.targets.items()
    ]))

# Local, so that Bazel notices when its server next starts that a library was installed, upgraded or
# removed.
system_library = repository_rule(
    implementation = _system_library_impl,
    attrs = {"library": attr.string(mandatory = True, values = SYSTEM_LIBRARIES.keys())},
    local = True,
)

# Draws the charts of `rumcask bench --report`.
_UPLOT = "uplot-1.6.32"
_UPLOT_SHA512 = ("2883159c6ebccefbb95d751b0b82d010f9e1c0ec41b8bc96d401eda66e882935" +
                 "c89a46cb824332fa369b8cb8122cc6ac36e186cd09bf7a9ded3a4c93c6989023")
_UPLOT_FILES = ["LICENSE", "dist/uPlot.iife.min.js", "dist/uPlot.min.css"]

def _uplot_impl(ctx):
    ctx.file("WORKSPACE", "")
    ctx.file("BUILD.bazel", "exports_files(%r)" % _UPLOT_FILES)
    archive = _UPLOT + ".tgz"
    why = "there is no npm"
    if ctx.which("npm"):
        npm = ["npm", "pack", "--silent", "--fetch-retries=1", "--fetch-timeout=20000"]
        done = ctx.execute(npm + [_UPLOT.replace("-", "@")], timeout = 90)
        why = "npm pack ended with %d: %s" % (done.return_code, done.stderr)
    if not ctx.path(archive).exists:
        # buildifier: disable=print
        print("`rumcask bench --report` will have no charts, as %s. If npm can bring %s, run " %
              (why, _UPLOT) + "`bazel sync --configure` (Bazel 7: `bazel fetch --force --configure`)")
        for file in _UPLOT_FILES:
            ctx.file(file, "")
        return
    found = ctx.execute(["sha512sum", archive]).stdout.split(" ")[0]
    if found != _UPLOT_SHA512:
        fail("rumcask: %s has the SHA-512 %s, not %s" % (archive, found, _UPLOT_SHA512))
    ctx.extract(archive, stripPrefix = "package")

uplot = repository_rule(
    implementation = _uplot_impl,
    configure = True,
)

# Rules that were part of Bazel before version 8. Older versions download these repositories even
# for builds that use only the C++ rules.
_NATIVE_CC_RULES = [
    "cc_binary",
    "cc_import",
    "cc_library",
    "cc_proto_library",
    "cc_test",
    "cc_toolchain",
    "cc_toolchain_suite",
    "fdo_prefetch_hints",
    "fdo_profile",
    "objc_import",
    "objc_library",
]

_NATIVE_JAVA_RULES = [
    "java_binary",
    "java_import",
    "java_library",
    "java_lite_proto_library",
    "java_package_configuration",
    "java_plugin",
    "java_proto_library",
    "java_runtime",
    "java_test",
    "java_toolchain",
]

_NATIVE_PROTO_RULES = ["proto_lang_toolchain", "proto_library"]

def _native(names):
    return "".join(["%s = native.%s\n" % (name, name) for name in names])

def _native_rules_impl(ctx):
    ctx.file("WORKSPACE", "")
    ctx.file("BUILD.bazel", "")
    for path, content in ctx.attr.files.items():
        ctx.file(path, content)

native_rules = repository_rule(
    implementation = _native_rules_impl,
    attrs = {"files": attr.string_dict(mandatory = True)},
)

_CC_DEFS = """load("@bazel_tools//tools/cpp:cc_flags_supplier.bzl", _cc_flags_supplier = "cc_flags_supplier")
load("@bazel_tools//tools/cpp:compiler_flag.bzl", _compiler_flag = "compiler_flag")

cc_flags_supplier = _cc_flags_supplier
compiler_flag = _compiler_flag
"""

def _maybe(rule, name, **kwargs):
    # A repository of the embedding project takes precedence.
    if not native.existing_rule(name):
        rule(name = name, **kwargs)

def rumcask_deps():
    """Declares every repository that is not declared already."""
    cc_files = {
        "cc/BUILD.bazel": "",
        "cc/defs.bzl": _CC_DEFS + _native(_NATIVE_CC_RULES),
    }
    for rule in _NATIVE_CC_RULES:
        cc_files["cc/%s.bzl" % rule] = _native([rule])
    _maybe(native_rules, "rules_cc", files = cc_files)
    _maybe(native_rules, "rules_java", files = {
        "java/BUILD.bazel": "",
        "java/defs.bzl": _native(_NATIVE_JAVA_RULES),
    })
    _maybe(native_rules, "rules_proto", files = {
        "proto/BUILD.bazel": "",
        "proto/defs.bzl": "ProtoInfo = ProtoInfo\n" + _native(_NATIVE_PROTO_RULES),
    })

    # Every test names it, but only `bazel coverage` uses it, which is not supported here.
    _maybe(native_rules, "remote_coverage_tools", files = {
        "BUILD.bazel": """
[filegroup(
    name = name,
    visibility = ["//visibility:public"],
) for name in ["coverage_report_generator", "lcov_merger"]]
""",
    })
    for name in SYSTEM_LIBRARIES:
        _maybe(system_library, name, library = name)
    _maybe(uplot, "uplot")
