// One line a check, and the count at the end.
#pragma once

#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace gemma4::check {

class Report {
 public:
  [[gnu::format(printf, 3, 4)]] void line(bool passed, const char* format, ...) {
    ++(passed ? passed_ : failed_);
    std::printf("%s ", passed ? "ok    " : "FAILED");
    va_list values;
    va_start(values, format);
    std::vprintf(format, values);
    va_end(values);
    std::printf("\n");
    std::fflush(stdout);  // the last line before a crash says where it happened
  }

  // Prints the totals; what main() returns.
  int end() const {
    std::printf("%d passed, %d failed\n", passed_, failed_);
    return failed_ == 0 && passed_ > 0 ? 0 : 1;
  }

 private:
  int passed_ = 0, failed_ = 0;
};

// The largest of a series of ratios error / allowance. One that is no number counts as infinite.
class Worst {
 public:
  void take(double error, double allowance) {
    const double ratio = error / allowance;
    if (error != 0 && !(ratio <= worst_)) worst_ = ratio == ratio ? ratio : HUGE_VAL;
  }
  bool passed() const { return worst_ <= 1; }
  double value() const { return worst_; }

 private:
  double worst_ = 0;
};

}  // namespace gemma4::check
