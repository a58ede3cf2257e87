// One row of a table into float32, for look-ups: plain C++, for a token reads few rows.
#pragma once

#include <cstdint>

#include "linear/matrix.h"

namespace gemma4 {

// Columns [from, from + count) of row `row`; both multiples of the format's block. Same order of operations as
// quant/blocks32.py and quant/blocks256.py, so the same bits.
void decode_row(const Matrix& table, int64_t row, int64_t from, int64_t count, float* out);

// Columns in a block: 1 for plain formats.
int64_t block_columns(Format format);

}  // namespace gemma4
