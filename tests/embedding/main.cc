#include <absl/status/status.h>

#include <iostream>

int main() {
  const absl::Status status = absl::OkStatus();
  std::cout << status.ToString() << "\n";
  return status.ok() ? 0 : 1;
}
