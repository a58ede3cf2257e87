// The self-test and its parts. Each part prints its lines through the report.
#pragma once

#include <memory>
#include <vector>

#include "check/report.h"
#include "kernels.h"

namespace gemma4::check {

// All parts, for every instruction set that is compiled in and that this processor runs. A line for each check on
// standard output; 0 when all pass.
int run();

void check_linears(const std::vector<const Kernels*>& all, Report& report);
void check_packing(const std::vector<const Kernels*>& all, Report& report);
void check_rows(const Kernels& kernels, Report& report);
void check_pages(const std::vector<const Kernels*>& all, Report& report);
void check_towers(const Kernels& kernels, Report& report);
void check_program(Report& report);

}  // namespace gemma4::check
