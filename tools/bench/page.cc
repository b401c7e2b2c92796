#include "tools/bench/page.h"

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "nlohmann/json.hpp"

#include "tools/bench/json_report.h"
#include "tools/bench/page_parts.h"
#include "tools/cli/json_text.h"

namespace rumcask::bench {
namespace {

using Json = nlohmann::ordered_json;

Json ReportData(const Report& report, const char* label) {
  Json json = Json::parse(AsJson(report));
  json["label"] = label;
  for (size_t i = 0; i < report.results.size(); ++i) {
    const Result& result = report.results[i];
    Json& shown = json["results"][i];
    shown["remark"] = RemarkOn(result);
    if (result.Done()) shown["steadiness"] = SteadinessOf(result);
    // The summary has what the page shows of it.
    for (Json& round : shown["rounds"]) round.erase("latency");
  }
  return json;
}

Json Band(const Spread& spread) {
  return {{"median", spread.median}, {"min", spread.min}, {"max", spread.max}};
}

std::string Page(const Json& data) {
  // In a script, "</script" and "<!--" have a meaning wherever they stand.
  const std::string json =
      absl::StrReplaceAll(cli::JsonText(data, /*indent=*/-1), {{"<", "\\u003c"}});
  return absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
      "img-src data:; script-src 'unsafe-inline'; style-src 'unsafe-inline'\">\n"
      // Otherwise browsers ask for one.
      "<link rel=\"icon\" href=\"data:,\">\n"
      "<title>rumcask bench</title>\n<style>\n",
      kChartStyle, kPageStyle,
      "</style>\n<main id=\"page\"></main>\n"
      "<noscript>This page is made by its own scripts, which the browser was told not to run."
      "</noscript>\n<script>\n/*\n",
      kChartLicense, "*/\n", kChartScript,
      "</script>\n<script id=\"data\" type=\"application/json\">", json, "</script>\n<script>\n",
      kPageScript, "</script>\n</html>\n");
}

}  // namespace

std::string AsPage(const Report& report) {
  return Page({{"reports", Json::array({ReportData(report, "")})}});
}

std::string AsPage(const Report& before, const Report& after,
                   const std::vector<Comparison>& comparisons, double threshold) {
  Json data;
  data["threshold"] = threshold;
  data["machines_differ"] = MachineDifferences(before, after);
  data["reports"] = Json::array({ReportData(before, "before"), ReportData(after, "after")});
  data["comparisons"] = Json::array();
  for (const Comparison& comparison : comparisons) {
    data["comparisons"].push_back({{"benchmark", comparison.benchmark},
                                   {"system", comparison.system},
                                   {"verdict", VerdictText(comparison.verdict)},
                                   {"change", comparison.change},
                                   {"figure", comparison.figure},
                                   {"before", Band(comparison.before)},
                                   {"after", Band(comparison.after)}});
  }
  return Page(data);
}

bool HasCharts() { return kChartScript[0] != '\0'; }

}  // namespace rumcask::bench
