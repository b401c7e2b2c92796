#!/bin/bash
# at_exit_test.sh PROGRAM KEYSTORES...
#
# Runs the program for each keystore, in both read modes, and looks at its exit code.

set -u
# An allocator that overwrites what is freed, so that use of it is seen.
export MALLOC_PERTURB_=165
failed=0
program=$1
shift
for keystore in "$@"; do
  for mode in mapped pread; do
    for scenario in destroyed used thread forked; do
      # RocksDB's own statics wait for threads that a child does not have.
      [[ $keystore.$scenario = rocksdb.forked ]] && continue
      if ! timeout 100 "$program" "$TEST_TMPDIR/$keystore.$mode.$scenario" \
          "$keystore" "$mode" "$scenario"; then
        echo "FAILED: $keystore $mode $scenario"
        failed=1
      fi
    done
  done
done
exit $failed
