// Which kernels this processor runs, and how fast its memory is read.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels.h"

namespace gemma4 {

// Best first; never empty.
std::vector<const Kernels*> supported_kernels();

// Bytes a second that `num_threads` threads read from memory together, the best of a few rounds over a buffer larger
// than any cache.
double read_bandwidth(int num_threads);

// The same over bytes that are there: weights in a mapped file, say. Whole cache lines of them; 0 if they hold none.
// The first round brings pages into memory, so the best says how fast they are read once they are.
double read_bandwidth(int num_threads, const void* bytes, int64_t num_bytes);

}  // namespace gemma4
