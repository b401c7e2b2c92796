#!/bin/bash
# Runs the examples, and compares what they print.

set -eu
counter=$1 walk=$2 pick_keystore=$3
cd "$TEST_TMPDIR"
run() { "$TEST_SRCDIR/$TEST_WORKSPACE/$@"; }
expect() {
  if [ "$1" != "$2" ]; then
    printf 'expected:\n%s\nfound:\n%s\n' "$2" "$1" >&2
    exit 1
  fi
}

expect "$(run "$counter" counter.db)" 4000
expect "$(run "$counter" counter.db)" 8000

expect "$(run "$walk" walk.db)" $'before\nfruit/apple=5\nfruit/pear=3\nnow\nfruit/apple=4'
# The database is there now, and the batch is written again.
expect "$(run "$walk" walk.db)" $'before\nfruit/apple=5\nfruit/pear=3\nnow\nfruit/apple=4'

expect "$(run "$pick_keystore" new.db)" "hash 1"
expect "$(run "$pick_keystore" picked.db lmdb)" "lmdb 1"
expect "$(run "$pick_keystore" picked.db)" "lmdb 2"
if run "$pick_keystore" picked.db btree 2>error; then exit 1; fi
grep -q 'picked.db.*lmdb' error
if run "$pick_keystore" picked.db none 2>error; then exit 1; fi
grep -q 'none of hash' error
