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

inline int64_t unpacked_bytes(int64_t columns, Format format) {
  switch (format) {
    case Format::F32: return columns * static_cast<int64_t>(sizeof(Bytes));
    case Format::F16:
    case Format::F16_AS_BF16:
    case Format::BF16: return whole_pairs(columns) / 2 * static_cast<int64_t>(sizeof(Bytes));
    default: return columns / 32 * static_cast<int64_t>(sizeof(Group));
  }
}

// Tiles that lie unpacked side by side while a panel of tokens passes: no more than half of a second cache level of
// 1 MiB, so that the tokens come from farther away only once in so many tiles.
constexpr int64_t kUnpackedBytes = 512 * 1024;
constexpr int64_t kMostTiles = 8;
inline int64_t tiles_together(int64_t columns, Format format) {
  switch (format) {
    case Format::F32:
    case Format::F16:
    case Format::F16_AS_BF16:
    case Format::BF16:
      return std::clamp<int64_t>(kUnpackedBytes / unpacked_bytes(columns, format), kTilesAtOnce, kMostTiles);
    default: return 1;
  }
}

// Bytes of scratch that a pass over more than kPanel tokens needs for each thread.
inline int64_t scratch_bytes(int64_t columns, Format format) {
  return tiles_together(columns, format) * unpacked_bytes(columns, format);
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

// The last tile of a weight whose rows are no multiple of kLanes reaches back over rows already done, which get the
// same bits again.
inline int64_t first_row(const Matrix& m, int64_t tile) { return std::min(tile * kLanes, m.rows - kLanes); }

template <class Plain, int T>
inline void multiply_unpacked(const Matrix& m, int64_t tile, int64_t num_tiles, const Bytes* unpacked, int64_t words,
                              const typename Plain::Unit* x, float* y, int64_t ldy) {
  int64_t i = 0;
  for (; i + kTilesAtOnce <= num_tiles; i += kTilesAtOnce) {
    float* out[kTilesAtOnce];
    for (int r = 0; r < kTilesAtOnce; ++r) out[r] = y + first_row(m, tile + i + r);
    multiply_plain_scratch<Plain, T, kTilesAtOnce>(unpacked + i * words, words, x, out, ldy);
  }
  for (; i < num_tiles; ++i) {
    float* out[] = {y + first_row(m, tile + i)};
    multiply_plain_scratch<Plain, T, 1>(unpacked + i * words, words, x, out, ldy);
  }
}

template <class Plain>
inline void multiply_plain_tiles(const Matrix& m, int64_t tile, int64_t num_tiles, const void* packed, int64_t count,
                                 float* y, int64_t ldy, const uint8_t* ahead, void* scratch) {
  using Unit = typename Plain::Unit;
  const auto* x = static_cast<const Unit*>(packed);
  const int64_t words = (m.columns + Plain::kColumns - 1) / Plain::kColumns;
  const int64_t units = whole_pairs(m.columns) / Plain::kColumns * Plain::kUnits;
  if (count <= kPanel) {
    for (int64_t i = tile; i < tile + num_tiles; ++i) {
      const int64_t row = first_row(m, i);
      with_count(static_cast<int>(count),
                 [&](auto t) { multiply_plain_rows<Plain, t()>(m, row, x, y + row, ldy, ahead); });
    }
    return;
  }
  auto* unpacked = static_cast<Bytes*>(scratch);
  for (int64_t i = 0; i < num_tiles; ++i) fill_plain_scratch<Plain>(m, first_row(m, tile + i), unpacked + i * words);
  // Of the tiles to come, for each panel.
  const int64_t share = num_tiles * kLanes * m.columns * Plain::kBytes / (count / kPanel);
  for (int64_t first = 0; first < count; first += kPanel) {
    for (const uint8_t* end = ahead + share; ahead < end; ahead += 64) prefetch(ahead);
    const int width = static_cast<int>(std::min<int64_t>(kPanel, count - first));
    with_count(width, [&](auto t) {
      multiply_unpacked<Plain, t()>(m, tile, num_tiles, unpacked, words, x + first * units, y + first * ldy, ldy);
    });
  }
}

// Tiles `tile` … of kLanes rows: y[t · ldy + row] for all tokens; `ahead` is where a tile to come begins. Among more
// than kPanel tokens no more tiles than tiles_together() says.
inline void multiply(const Matrix& m, int64_t tile, int64_t num_tiles, const void* x, int64_t count, float* y,
                     int64_t ldy, const uint8_t* ahead, void* scratch) {
  const auto plain = [&](auto format) {
    multiply_plain_tiles<decltype(format)>(m, tile, num_tiles, x, count, y, ldy, ahead, scratch);
  };
  const auto blocks = [&](auto format) {
    for (int64_t i = tile; i < tile + num_tiles; ++i) {
      const int64_t row = first_row(m, i);
      multiply_block_tile<decltype(format)>(m, row, x, count, y + row, ldy, ahead, scratch);
    }
  };
  switch (m.format) {
    case Format::F32: return plain(PlainF32());
    case Format::F16: return plain(PlainF16());
    case Format::BF16: return plain(PlainBF16());
    case Format::F16_AS_BF16: return plain(PlainF16AsBF16());
    case Format::Q4_0: return blocks(Q4_0());
    case Format::Q4_1: return blocks(Q4_1());
    case Format::Q5_0: return blocks(Q5_0());
    case Format::Q5_1: return blocks(Q5_1());
    case Format::Q8_0: return blocks(Q8_0());
    case Format::Q4_K: return blocks(Q4_K());
    case Format::Q5_K: return blocks(Q5_K());
    case Format::Q6_K: return blocks(Q6_K());
    case Format::W4A16: return blocks(W4A16());
  }
}
