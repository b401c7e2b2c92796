#!/bin/bash
# Measures every keystore, beside RocksDB and LMDB that hold the values themselves.
#
#   tools/bench/keystores.sh PEERS RESULTS STORES [SCALE]
#
# PEERS is the program //tools/bench:peers. RESULTS is a directory that receives a table for each
# run. STORES is a directory on the disk to measure, with 15 GB to spare; everything made there is
# removed again. SCALE divides the numbers of keys and the seconds; use 1000 for a trial run.

set -euo pipefail

peers=$1
results=$2
scale=${4:-1}
mkdir -p "$results" "$3"
stores=$(mktemp -d "$3/keystores.XXXXXX")
trap 'rm -rf "$stores"' EXIT

all=(--keystore=all --systems=rocksdb,lmdb)
run() {
  local name=$1
  shift
  "$peers" --rounds=1 --db="$stores/db" "$@" >"$results/$name.txt"
}

for size in 100 1000; do
  num=$(((size == 100 ? 5000000 : 1000000) / scale))
  common=("${all[@]}" --num=$num --value_size=$size)
  run "$size-put-get-open" "${common[@]}" --reads=$((1000000 / scale)) \
    --benchmarks=filluniquerandom,readrandom,readmissing,overwrite,open,openunclean
  # The following runs read the stores that this run left.
  common+=(--use_existing_db)
  run "$size-scan" "${common[@]}" --benchmarks=readseq
  run "$size-seek" "${common[@]}" --benchmarks=seekrandom --seek_nexts=49 \
    --reads=$((100000 / scale))
  ycsb=(-p insertorder=ordered -p fieldcount=1 -p fieldlength=$size)
  run "$size-ycsb-a-b" "${common[@]}" --workload=a,b "${ycsb[@]}" \
    -p operationcount=$((1000000 / scale))
  run "$size-ycsb-e" "${common[@]}" --workload=e "${ycsb[@]}" -p operationcount=$((100000 / scale))
  rm -rf "$stores/db"
done

run 20M --keystore=lmdb,rocksdb --num=$((20000000 / scale)) --cold \
  --duration="$(awk "BEGIN { print 30 / $scale }")" \
  --benchmarks=filluniquerandom,readrandom,overwrite,open
