#include "tools/bench/zipf.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace rumcask::bench {

double Zeta(uint64_t n, double theta) {
  constexpr uint64_t kExact = 1000;
  const uint64_t head = std::min(n, kExact);
  double sum = 0;
  for (uint64_t i = 1; i <= head; ++i) sum += std::pow(static_cast<double>(i), -theta);
  if (n == head) return sum;
  // The Euler-Maclaurin formula for the rest; its next term is below 1e-12.
  const double a = static_cast<double>(head);
  const double b = static_cast<double>(n);
  const double integral = (std::pow(b, 1 - theta) - std::pow(a, 1 - theta)) / (1 - theta);
  const double ends = (std::pow(b, -theta) - std::pow(a, -theta)) / 2;
  const double slopes = theta * (std::pow(a, -theta - 1) - std::pow(b, -theta - 1)) / 12;
  return sum + integral + ends + slopes;
}

Zipf::Zipf(uint64_t items, double theta)
    : theta_(theta),
      items_(items),
      zeta_items_(Zeta(items, theta)),
      second_(std::pow(0.5, theta)),
      alpha_(1 / (1 - theta)) {
  Update();
}

void Zipf::Update() {
  const double zeta_two = 1 + second_;
  eta_ =
      (1 - std::pow(2.0 / static_cast<double>(items_), 1 - theta_)) / (1 - zeta_two / zeta_items_);
}

void Zipf::Grow() {
  ++items_;
  zeta_items_ += std::pow(static_cast<double>(items_), -theta_);
  Update();
}

uint64_t Zipf::Next(Random* random) const {
  const double u = random->NextDouble();
  const double uz = u * zeta_items_;
  if (uz < 1 || items_ == 1) return 0;
  if (uz < 1 + second_ || items_ == 2) return 1;
  const double rank = static_cast<double>(items_) * std::pow(eta_ * u - eta_ + 1, alpha_);
  return std::min(static_cast<uint64_t>(rank), items_ - 1);
}

}  // namespace rumcask::bench
