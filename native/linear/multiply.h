// A linear's tiles of kLanes rows, in any format, for any number of tokens. Included inside a simd namespace.

// Calls work<T>() with T = count, 1 … kPanel.
template <class Work>
inline void with_count(int count, Work&& work) {
  switch (count) {
    case 1: return work(std::integral_constant<int, 1>());
    case 2: return work(std::integral_constant<int, 2>());
    case 3: return work(std::integral_constant<int, 3>());
    case 4: return work(std::integral_constant<int, 4>());
    case 5: return work(std::integral_constant<int, 5>());
    case 6: return work(std::integral_constant<int, 6>());
    case 7: return work(std::integral_constant<int, 7>());
    default: return work(std::integral_constant<int, 8>());
  }
}

// Bytes of scratch that a pass over more than kPanel tokens needs for each thread.
inline int64_t scratch_bytes(int64_t columns, Format format) {
  switch (format) {
    case Format::F32: return columns * static_cast<int64_t>(sizeof(Bytes));
    case Format::F16:
    case Format::BF16: return whole_pairs(columns) / 2 * static_cast<int64_t>(sizeof(Bytes));
    default: return columns / 32 * static_cast<int64_t>(sizeof(Group));
  }
}

template <class Blocks>
inline void multiply_block_tile(const Matrix& m, int64_t row, const void* packed, int64_t count, float* y,
                                int64_t ldy, const uint8_t* ahead, void* scratch) {
  const auto* x = static_cast<const ActivationBlock*>(packed);
  const int64_t groups = m.columns / 32;
  if (count <= kPanel) {
    with_count(static_cast<int>(count), [&](auto t) { multiply_rows<Blocks, t()>(m, row, x, y, ldy, ahead); });
    return;
  }
  auto* unpacked = static_cast<Group*>(scratch);
  fill_scratch<Blocks>(m, row, unpacked);
  const int64_t share = kLanes * m.row_bytes / (count / kPanel);  // of the tile to come, for each panel
  for (int64_t first = 0; first < count; first += kPanel) {
    for (const uint8_t* end = ahead + share; ahead < end; ahead += 64) prefetch(ahead);
    const int width = static_cast<int>(std::min<int64_t>(kPanel, count - first));
    with_count(width, [&](auto t) {
      multiply_scratch<Blocks, t()>(unpacked, groups, x + first * groups, y + first * ldy, ldy);
    });
  }
}

template <class Plain>
inline void multiply_plain_tile(const Matrix& m, int64_t row, const void* packed, int64_t count, float* y,
                                int64_t ldy, const uint8_t* ahead, void* scratch) {
  using Unit = typename Plain::Unit;
  const auto* x = static_cast<const Unit*>(packed);
  const int64_t words = (m.columns + Plain::kColumns - 1) / Plain::kColumns;
  const int64_t units = whole_pairs(m.columns) / Plain::kColumns * Plain::kUnits;
  if (count <= kPanel) {
    with_count(static_cast<int>(count), [&](auto t) { multiply_plain_rows<Plain, t()>(m, row, x, y, ldy, ahead); });
    return;
  }
  auto* unpacked = static_cast<Bytes*>(scratch);
  fill_plain_scratch<Plain>(m, row, unpacked);
  const int64_t share = kLanes * m.columns * Plain::kBytes / (count / kPanel);  // of the tile to come, for each panel
  for (int64_t first = 0; first < count; first += kPanel) {
    for (const uint8_t* end = ahead + share; ahead < end; ahead += 64) prefetch(ahead);
    const int width = static_cast<int>(std::min<int64_t>(kPanel, count - first));
    with_count(width, [&](auto t) {
      multiply_plain_scratch<Plain, t()>(unpacked, words, x + first * units, y + first * ldy, ldy);
    });
  }
}

inline void multiply_tile(const Matrix& m, int64_t row, const void* x, int64_t count, float* y, int64_t ldy,
                          const uint8_t* ahead, void* scratch) {
  switch (m.format) {
    case Format::F32: return multiply_plain_tile<PlainF32>(m, row, x, count, y, ldy, ahead, scratch);
    case Format::F16: return multiply_plain_tile<PlainF16>(m, row, x, count, y, ldy, ahead, scratch);
    case Format::BF16: return multiply_plain_tile<PlainBF16>(m, row, x, count, y, ldy, ahead, scratch);
    case Format::Q4_0: return multiply_block_tile<Q4_0>(m, row, x, count, y, ldy, ahead, scratch);
    case Format::Q4_1: return multiply_block_tile<Q4_1>(m, row, x, count, y, ldy, ahead, scratch);
    case Format::Q5_0: return multiply_block_tile<Q5_0>(m, row, x, count, y, ldy, ahead, scratch);
    case Format::Q5_1: return multiply_block_tile<Q5_1>(m, row, x, count, y, ldy, ahead, scratch);
    case Format::Q8_0: return multiply_block_tile<Q8_0>(m, row, x, count, y, ldy, ahead, scratch);
    case Format::Q4_K: return multiply_block_tile<Q4_K>(m, row, x, count, y, ldy, ahead, scratch);
    case Format::Q5_K: return multiply_block_tile<Q5_K>(m, row, x, count, y, ldy, ahead, scratch);
    case Format::Q6_K: return multiply_block_tile<Q6_K>(m, row, x, count, y, ldy, ahead, scratch);
    case Format::W4A16: return multiply_block_tile<W4A16>(m, row, x, count, y, ldy, ahead, scratch);
  }
}

// Tile number `tile` of kLanes rows: y[t · ldy + row] for all tokens; `ahead` is where a tile to come begins. The
// last tile of a weight whose rows are no multiple of kLanes reaches back over rows already done, which get the same
// bits again.
inline void multiply(const Matrix& m, int64_t tile, const void* x, int64_t count, float* y, int64_t ldy,
                     const uint8_t* ahead, void* scratch) {
  const int64_t row = std::min(tile * kLanes, m.rows - kLanes);
  multiply_tile(m, row, x, count, y + row, ldy, ahead, scratch);
}
