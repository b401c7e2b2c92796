"""The keystores of this project, the default first.

This is the one list of them: what knows keystores by name, the tests that run on every keystore, the
benchmarks and the checks of the documents all go by it. A keystore NAME has a folder here with a target
NAME, a header NAME_keystore.h, and in that a function NameKeystore that needs no argument.
"""

KEYSTORES = [
    "hash",
    "flat",
    "btree",
    "lmdb",
    "rocksdb",
]

# The targets with their public headers.
KEYSTORE_HEADERS = ["//keystores/%s:headers" % name for name in KEYSTORES]

def keystore_table(name):
    """The list for C++: NAME.h, which has a line KEYSTORE(name, function) for each keystore.

    Args:
      name: of the target and of the header.
    """
    includes = ["#include \"keystores/%s/%s_keystore.h\"" % (k, k) for k in KEYSTORES]
    rows = ["KEYSTORE(\"%s\", %sKeystore)" % (k, k.capitalize()) for k in KEYSTORES]
    native.genrule(
        name = name,
        outs = [name + ".h"],
        cmd = "cat > $@ <<'END'\n%s\n\n#define KEYSTORES(KEYSTORE) \\\n  %s\nEND" % (
            "\n".join(includes),
            " \\\n  ".join(rows),
        ),
    )
