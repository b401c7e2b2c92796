#!/bin/bash
# Runs the examples, and compares what they print.

set -eu
counter=$1 walk=$2 pick_keystore=$3 transfer=$4
cd "$TEST_TMPDIR"
run() { "$TEST_SRCDIR/$TEST_WORKSPACE/$@"; }
# expect TEXT COMMAND...: the command succeeds and prints that.
expect() {
  local found
  if ! found=$(run "${@:2}"); then
    echo "failed: ${*:2}" >&2
    exit 1
  fi
  if [ "$found" != "$1" ]; then
    printf '%s\nexpected:\n%s\nfound:\n%s\n' "${*:2}" "$1" "$found" >&2
    exit 1
  fi
}
# refuse TEXT COMMAND...: the command fails, and says that.
refuse() {
  if run "${@:2}" 2>error; then
    echo "succeeded: ${*:2}" >&2
    exit 1
  fi
  if ! grep -q "$1" error; then
    printf '%s\nexpected:\n%s\nfound:\n%s\n' "${*:2}" "$1" "$(cat error)" >&2
    exit 1
  fi
}

expect 4000 "$counter" counter.db
expect 8000 "$counter" counter.db

walked=$'before\nfruit/apple=5\nfruit/pear=3\nnow\nfruit/apple=4'
expect "$walked" "$walk" walk.db
# The database is there now, and the batch is written again.
expect "$walked" "$walk" walk.db

expect 300 "$transfer" transfer.db
expect 300 "$transfer" transfer.db

expect "hash 1" "$pick_keystore" new.db
expect "lmdb 1" "$pick_keystore" picked.db lmdb
expect "lmdb 2" "$pick_keystore" picked.db
refuse 'picked.db.*lmdb' "$pick_keystore" picked.db btree
refuse 'none of hash' "$pick_keystore" picked.db none
refuse 'usage' "$pick_keystore"
refuse 'usage' "$counter"
refuse 'usage' "$walk"
refuse 'usage' "$transfer"
