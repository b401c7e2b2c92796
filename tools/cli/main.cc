// The rumcask tool, which manages databases from the command line.

#include "tools/cli/command.h"
#include "tools/cli/commands.h"

int main(int argc, char** argv) {
  using namespace rumcask::cli;  // NOLINT: for the table
  constexpr Command kCommands[] = {
      {"put", "Store a value; creates the database", RunPut},
      {"get", "Print a value", RunGet},
      {"delete", "Remove a key", RunDelete},
      {"scan", "Print keys and values", RunScan},
      {"count", "Print the number of keys", RunCount},
      {"load", "Store the records of a file; creates the database", RunLoad},
      {"dump", "Print all records so that load, or LMDB's mdb_load, can read them", RunDump},
      {"stats", "Print statistics of the database", RunStats},
      {"verify", "Check every byte of the database", RunVerify},
      {"compact", "Give the space of dead records back", RunCompact},
      {"checkpoint", "Make a copy with the present state", RunCheckpoint},
      {"repair", "Write all undamaged records to a new database", RunRepair},
      {"reindex", "Change the keystore of a database", RunReindex},
      {"advise", "Recommend a keystore by trying each; needs no database", RunAdvise},
      {"bench", "Measure keystores side by side; needs no database", RunBench},
  };
  return Main(argc, argv, kCommands);
}
