#include <algorithm>

#include "check/checks.h"
#include "program/machine.h"

namespace gemma4::check {

int run() {
  Report report;
  std::vector<const Kernels*> all = supported_kernels();
  std::reverse(all.begin(), all.end());  // the portable ones first: the others are compared to them
  check_packing(all, report);
  check_linears(all, report);
  for (const Kernels* kernels : all) check_rows(*kernels, report);
  check_pages(all, report);
  for (const Kernels* kernels : all) check_towers(*kernels, report);
  check_program(report);
  return report.end();
}

}  // namespace gemma4::check
