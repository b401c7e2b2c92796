// Figures in words, the same ones in tables and sentences.

#ifndef RUMCASK_TOOLS_ADVISE_FIGURES_H_
#define RUMCASK_TOOLS_ADVISE_FIGURES_H_

#include <string>

namespace rumcask::advise {

// "1.23 us", "4.5 ms", "120 ms", "380.0 s"
std::string SecondsText(double seconds);

// "50 %", "99.6 %", "0.002 %"
std::string ShareText(double share);

// "4.5 GiB"; also for more than 64 bits hold.
std::string BytesText(double bytes);

}  // namespace rumcask::advise

#endif  // RUMCASK_TOOLS_ADVISE_FIGURES_H_
