// The towers' part of the Python module.
#pragma once

#include <nanobind/nanobind.h>

#include "program/program.h"

namespace gemma4 {

void bind_tower_steps(nanobind::module_& m, nanobind::class_<Program>& program);

}  // namespace gemma4
