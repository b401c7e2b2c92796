#!/bin/bash
# keystores_test.sh SCRIPT PEERS KEYSTORES...
#
# The measuring script runs all it should, of every keystore, on few keys.

set -eu
"$1" "$2" "$TEST_TMPDIR/results" "$TEST_TMPDIR/stores" 5000
results=("$TEST_TMPDIR"/results/*.txt)
test ${#results[@]} -eq 11
! grep -l '^ .*: failed' "${results[@]}"
test "$(grep -h -o '^[a-z]*' "$TEST_TMPDIR/results/100-put-get-open.txt" | sort -u | grep -c -x -E \
  'filluniquerandom|readrandom|readmissing|overwrite|open|openunclean')" -eq 6
for keystore in "${@:3}"; do
  grep -q -w -E "(rumcask_)?$keystore" "$TEST_TMPDIR/results/100-put-get-open.txt"
done
# Nothing stays.
test -z "$(ls "$TEST_TMPDIR/stores")"
