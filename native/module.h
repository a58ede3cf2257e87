// What the parts of the Python module share.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>

#include "program/program.h"

namespace gemma4 {

using Address = uintptr_t;

template <class T>
T* at(Address address) { return reinterpret_cast<T*>(address); }

void bind_tower_steps(nanobind::module_& m, nanobind::class_<Program>& program);

}  // namespace gemma4
