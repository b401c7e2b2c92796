#!/bin/bash
# Runs the program for each keystore, in both read modes, and looks at its exit code.

set -u
# An allocator that overwrites what is freed, so that use of it is seen.
export MALLOC_PERTURB_=165
failed=0
for keystore in hash btree lmdb rocksdb; do
  for mode in mapped pread; do
    for scenario in destroyed used thread forked; do
      # RocksDB's own statics wait for threads that a child does not have.
      [[ $keystore.$scenario = rocksdb.forked ]] && continue
      if ! timeout 100 "$1" "$TEST_TMPDIR/$keystore.$mode.$scenario" \
          "$keystore" "$mode" "$scenario"; then
        echo "FAILED: $keystore $mode $scenario"
        failed=1
      fi
    done
  done
done
exit $failed
