"""What MODULE.bazel, which only Bazel 7 and later read, takes from elsewhere than the registry."""

load(":deps.bzl", "SYSTEM_LIBRARIES", "system_library", "uplot")

def _system_libraries_impl(_ctx):
    for name in SYSTEM_LIBRARIES:
        system_library(name = name, library = name)

system_libraries = module_extension(implementation = _system_libraries_impl)

def _charts_impl(_ctx):
    uplot(name = "uplot")

# Not in the registry, and not only for development: the command line has it built in.
charts = module_extension(implementation = _charts_impl)
