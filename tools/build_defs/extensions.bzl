"""System libraries for MODULE.bazel, which only Bazel 7 and later read."""

load(":deps.bzl", "SYSTEM_LIBRARIES", "system_library")

def _system_libraries_impl(_ctx):
    for name in SYSTEM_LIBRARIES:
        system_library(name = name, library = name)

system_libraries = module_extension(implementation = _system_libraries_impl)
