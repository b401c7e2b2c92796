#!/bin/bash
# Runs a test twice: as it is, when it must pass, and with a seeded bug, when it must fail.
#
#   must_fail.sh BUG FILTER TEST
#
# A test that hangs on a bug has found it too, if it is quick without.

set -u
bug=$1
filter=$2
test=$3
log=$TEST_TMPDIR/log

begin=$SECONDS
if ! "$test" --gtest_filter="$filter" >"$log" 2>&1; then
  cat "$log"
  echo "FAIL: $filter fails without any bug"
  exit 1
fi
if ! grep -q '^\[ *OK *\]' "$log"; then
  echo "FAIL: no test matches $filter"
  exit 1
fi
took=$((SECONDS - begin))
RUMCASK_SEEDED_BUG=$bug timeout 240 "$test" --gtest_filter="$filter" >"$log" 2>&1
result=$?
if [ $result = 0 ] || { [ $result = 124 ] && [ $took -gt 60 ]; }; then
  echo "FAIL: $filter did not notice the bug \"$bug\" (is this --config=seeded_bugs?)"
  exit 1
fi
grep -m 5 -A 4 -i 'failure\|error\|abort' "$log" || tail -5 "$log"
echo "OK: $filter caught \"$bug\""
