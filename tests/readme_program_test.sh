#!/bin/bash
# Runs README's program twice: creating the database and finding it.

set -eu
for _ in 1 2; do
  test "$("$1" "$TEST_TMPDIR/hello.db")" = "hello, world"
done
! "$1" /nonexistent/hello.db 2>"$TEST_TMPDIR/error"
grep -q /nonexistent/hello.db "$TEST_TMPDIR/error"
