// Figures of all keystores as they were measured once, for tests of what follows from them.

#ifndef RUMCASK_TOOLS_ADVISE_RECORDED_EVIDENCE_H_
#define RUMCASK_TOOLS_ADVISE_RECORDED_EVIDENCE_H_

#include <cstddef>
#include <string>

#include "tools/advise/model.h"
#include "tools/advise/recommendation.h"

namespace rumcask::advise {

inline Model RecordedModel(const std::string& keystore, bool ordered, bool persistent,
                           size_t longest_key) {
  Model model;
  model.keystore = keystore;
  model.ordered = ordered;
  model.persistent = persistent;
  model.exact_keys = keystore != "hash";
  model.longest_key = longest_key;
  model.log = {0, 154};
  model.space_amplification = persistent ? 2 : 1.5;
  model.working_bytes = 256 << 20;
  model.reserve_bytes = (persistent ? 192 : 64) << 20;
  return model;
}

// Five million keys of 16 bytes, values of 100: the table in keystores/README.md. `hash` is that of
// the run in turns with `flat`. Scans are of 50 keys.
inline Evidence FiveMillionKeys() {
  Model hash = RecordedModel("hash", false, false, 65535);
  hash.memory = {0, 36};
  hash.written_per_byte = 1.48;
  hash.seconds = {0.65e-6, 0.83e-6, 0.67e-6, 0};
  hash.open_seconds = {0, 0.92 / 5e6};
  hash.recovery_seconds = {0, 0.96 / 5e6};
  Model flat = RecordedModel("flat", false, false, 65535);
  flat.memory = {0, 43};
  flat.written_per_byte = 1.49;
  flat.seconds = {1.15e-6, 1.39e-6, 1.05e-6, 0};
  flat.open_seconds = {0, 4.1 / 5e6};
  flat.recovery_seconds = {0, 4.2 / 5e6};
  Model btree = RecordedModel("btree", true, false, 65535);
  btree.memory = {0, 103};
  btree.written_per_byte = 1.48;
  btree.seconds = {4.90e-6, 4.74e-6, 4.10e-6, 33e-6};
  btree.open_seconds = {0, 38 / 5e6};
  btree.recovery_seconds = {0, 40 / 5e6};
  Model lmdb = RecordedModel("lmdb", true, true, 511);
  lmdb.memory = {250e6, 0};
  lmdb.burst_bytes = 128 << 20;
  lmdb.index_files = {0, 49};
  lmdb.written_per_byte = 4.43;
  lmdb.seconds = {2.96e-6, 4.03e-6, 3.19e-6, 40e-6};
  lmdb.open_seconds = {0.011, 0};
  lmdb.recovery_seconds = {0.81, 0};
  Model rocksdb = RecordedModel("rocksdb", true, true, 65535);
  rocksdb.memory = {290e6, 0};
  rocksdb.burst_bytes = 128 << 20;
  rocksdb.index_files = {0, 21};
  rocksdb.written_per_byte = 1.87;
  rocksdb.seconds = {9.71e-6, 3.34e-6, 4.52e-6, 71e-6};
  rocksdb.open_seconds = {0.017, 0};
  rocksdb.recovery_seconds = {0.93, 0};
  return {{hash, flat, btree, lmdb, rocksdb}, 1e9};
}

// The keystores on disk with twenty million keys and a page cache that is empty at first, from the
// same table. Those in memory as above.
inline Evidence TwentyMillionKeys() {
  Evidence evidence = FiveMillionKeys();
  Model& lmdb = evidence.models[3];
  lmdb.written_per_byte = 10.9;
  lmdb.seconds.get = 1 / 55e3;
  lmdb.seconds.overwrite = 1 / 70e3;
  Model& rocksdb = evidence.models[4];
  rocksdb.written_per_byte = 2.03;
  rocksdb.seconds.get = 1 / 47e3;
  rocksdb.seconds.overwrite = 1 / 170e3;
  return evidence;
}

}  // namespace rumcask::advise

#endif  // RUMCASK_TOOLS_ADVISE_RECORDED_EVIDENCE_H_
