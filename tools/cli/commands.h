// The commands of the rumcask tool, each in its own file.

#ifndef RUMCASK_TOOLS_CLI_COMMANDS_H_
#define RUMCASK_TOOLS_CLI_COMMANDS_H_

#include <string>
#include <vector>

namespace rumcask::cli {

// Each gets the arguments that follow its name and returns an ExitCode.
int RunPut(const std::vector<std::string>& arguments);
int RunGet(const std::vector<std::string>& arguments);
int RunDelete(const std::vector<std::string>& arguments);
int RunScan(const std::vector<std::string>& arguments);
int RunCount(const std::vector<std::string>& arguments);
int RunLoad(const std::vector<std::string>& arguments);
int RunDump(const std::vector<std::string>& arguments);
int RunStats(const std::vector<std::string>& arguments);
int RunVerify(const std::vector<std::string>& arguments);
int RunCompact(const std::vector<std::string>& arguments);
int RunCheckpoint(const std::vector<std::string>& arguments);
int RunRepair(const std::vector<std::string>& arguments);
int RunReindex(const std::vector<std::string>& arguments);
int RunAdvise(const std::vector<std::string>& arguments);
int RunBench(const std::vector<std::string>& arguments);

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_COMMANDS_H_
