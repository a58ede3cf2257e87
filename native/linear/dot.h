// The arithmetic of block formats, once for every number of tokens: integer products of a group of 32 columns,
// then one multiply-add in float32, groups in ascending order. A token's result therefore does not depend on the
// tokens that are computed beside it, and a pass over many tokens gives the bits of a pass over one.
// Included inside a simd namespace.
//
// The activations of T tokens lie group by group, [columns / 32][T], so that one pointer walks through them.

constexpr int kAbreast = 4;  // tokens whose sums grow side by side, for a sum waits for its own last product

// sums[t] += products of Count words of columns, from word `From` of the group on, with each of T tokens.
template <int Bits, int From, int Count, int T>
GEMMA4_INLINE void add_products(Ints* sums, const Bytes* w, const ActivationBlock* x) {
  constexpr int kStep = kDotStep < Count ? kDotStep : Count;
  for (int j = From; j < From + Count; j += kStep) {
    for (int t = 0; t < T; ++t) sums[t] = dot<Bits, kStep>(sums[t], w + j, x[t].values + 4 * j);
  }
}

// totals[t] += group · x[t] for T tokens, T up to kAbreast.
template <class Blocks, int T>
GEMMA4_INLINE void add_abreast(Floats* totals, const Group& g, const ActivationBlock* x) {
  constexpr int kBits = Blocks::kBits;
  constexpr int kShift = Blocks::kOffset == 0 ? 0 : __builtin_ctz(Blocks::kOffset);
  const auto undo_offset = [](int32_t minus_sum) GEMMA4_INLINED {
    return Blocks::kOffset == 0 ? splat_int(0) : shift_left<kShift>(splat_int(minus_sum));
  };
  Ints sums[T];
  if constexpr (Blocks::kShape == Shape::kHalves) {
    Ints seconds[T];
    for (int t = 0; t < T; ++t) sums[t] = undo_offset(x[t].minus_sums[0]);
    for (int t = 0; t < T; ++t) seconds[t] = undo_offset(x[t].minus_sums[1]);
    add_products<kBits, 0, 4, T>(sums, g.w, x);
    add_products<kBits, 4, 4, T>(seconds, g.w, x);
    for (int t = 0; t < T; ++t) {
      const Floats scale = splat(x[t].scale);
      totals[t] = fma(mul(g.scale, scale), to_floats(sums[t]), totals[t]);
      totals[t] = fma(mul(g.second, scale), to_floats(seconds[t]), totals[t]);
    }
    return;
  }
  for (int t = 0; t < T; ++t) sums[t] = undo_offset(x[t].minus_sum);
  add_products<kBits, 0, 8, T>(sums, g.w, x);
  for (int t = 0; t < T; ++t) {
    const Floats scale = splat(x[t].scale);
    totals[t] = fma(mul(g.scale, scale), to_floats(sums[t]), totals[t]);
    if constexpr (Blocks::kShape == Shape::kShifted) {
      totals[t] = fma(mul(g.second, scale), to_floats(splat_int(x[t].minus_sum)), totals[t]);
    }
  }
}

template <class Blocks, int T>
GEMMA4_INLINE void add_group(Floats* totals, const Group& g, const ActivationBlock* x) {
  if constexpr (T <= kAbreast) {
    add_abreast<Blocks, T>(totals, g, x);
  } else {
    add_abreast<Blocks, kAbreast>(totals, g, x);
    add_group<Blocks, T - kAbreast>(totals + kAbreast, g, x + kAbreast);
  }
}

// Block `block` of kLanes rows from `row` on, group by group.
template <class Blocks, class Sink>
GEMMA4_INLINE void unpack(const Matrix& m, int64_t row, int64_t block, Sink&& sink) {
  if constexpr (std::is_same_v<Blocks, W4A16>) {
    Blocks::unpack(m, row, block, sink);
  } else {
    Blocks::unpack(m.data + row * m.row_bytes + block * Blocks::kBytes, m.row_bytes, sink);
  }
}

// The blocks of 32 columns behind the last 256, for formats that take eight at a time.
template <class Blocks, class Sink>
GEMMA4_INLINE void unpack_rest(const Matrix& m, int64_t row, Sink&& sink) {
  if constexpr (std::is_same_v<Blocks, Q4_0>) {
    constexpr int64_t kSingle = Blocks::kBytes / 8;
    for (int64_t b = m.columns / 256 * 8; b < m.columns / 32; ++b) {
      Blocks::unpack_single(m.data + row * m.row_bytes + b * kSingle, m.row_bytes, sink);
    }
  }
}

// Asks for the same rows' next block, which the second cache level has by now, where few tokens leave no time to wait.
template <class Blocks, int T>
GEMMA4_INLINE void prefetch_next(const Matrix& m, int64_t row, int64_t block) {
  constexpr int kFewTokens = 2, kLine = 64;
  if constexpr (T <= kFewTokens && Blocks::kColumns > 32) {  // of 32 columns it is mostly the same line
    const uint8_t* next = m.data + row * m.row_bytes + (block + 1) * Blocks::kBytes;
    for (int r = 0; r < kLanes; ++r, next += m.row_bytes) {
      for (int i = 0; i < Blocks::kBytes + kLine - 1; i += kLine) prefetch(next + i);
    }
  }
}

// kLanes rows of the weight times T tokens: unpacked once, used T times. y[t · ldy] gets kLanes numbers.
template <class Blocks, int T>
inline void multiply_rows(const Matrix& m, int64_t row, const ActivationBlock* x, float* y, int64_t ldy,
                          const uint8_t* ahead) {
  Floats total[T];
  for (auto& t : total) t = zero();
  // The rows of a tile follow each other in memory, but are read side by side: more streams than the machine
  // foresees. So a coming tile, at `ahead`, is asked for in order of address.
  constexpr int kGroupBytes = kLanes * Blocks::kBytes * 32 / Blocks::kColumns;
  const uint8_t* line = ahead;
  const auto add = [&](int, const Group& g) GEMMA4_INLINED {
    ahead += kGroupBytes;
    for (; line < ahead; line += 64) prefetch(line);
    add_group<Blocks, T>(total, g, x);
    x += T;
  };
  const int64_t steps = m.columns / Blocks::kColumns;
  for (int64_t b = 0; b < steps; ++b) {
    prefetch_next<Blocks, T>(m, row, b);
    unpack<Blocks>(m, row, b, add);
  }
  unpack_rest<Blocks>(m, row, add);
  for (int t = 0; t < T; ++t) store(y + t * ldy, total[t]);
}

// All groups of kLanes rows, for a pass over many tokens.
template <class Blocks>
inline void fill_scratch(const Matrix& m, int64_t row, Group* groups) {
  const auto put = [&](int, const Group& g) GEMMA4_INLINED { *groups++ = g; };
  for (int64_t b = 0; b < m.columns / Blocks::kColumns; ++b) unpack<Blocks>(m, row, b, put);
  unpack_rest<Blocks>(m, row, put);
}

// The same product over groups that lie unpacked in a scratch buffer.
template <class Blocks, int T>
inline void multiply_scratch(const Group* groups, int64_t num_groups, const ActivationBlock* x, float* y,
                             int64_t ldy) {
  Floats total[T];
  for (auto& t : total) t = zero();
  for (int64_t i = 0; i < num_groups; ++i, x += T) {
    const Group& g = groups[i];
    add_group<Blocks, T>(total, g, x);
  }
  for (int t = 0; t < T; ++t) store(y + t * ldy, total[t]);
}
