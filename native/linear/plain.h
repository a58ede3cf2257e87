// Weights stored as plain numbers, F32, F16 and BF16. Columns in ascending order, one multiply-add each (BF16: one
// product of pairs), so that a token's result does not depend on its company. Included inside a simd namespace.

struct PlainF32 {
  static constexpr int kBytes = 4, kColumns = 1, kUnits = 1;  // bytes of a number; columns and units of a word
  using Unit = float;
  static GEMMA4_INLINE Bytes prepare(Bytes w) { return w; }
  static GEMMA4_INLINE Floats add(Floats total, Bytes w, const Unit* x, int) { return fma(as_floats(w), splat(*x), total); }
};

struct PlainF16 {
  static constexpr int kBytes = 2, kColumns = 2, kUnits = 2;
  using Unit = float;
  static GEMMA4_INLINE Bytes prepare(Bytes w) { return w; }
  static GEMMA4_INLINE Floats add(Floats total, Bytes w, const Unit* x, int step) {
    total = fma(low_half(w), splat(x[0]), total);
    return fma(low_half(shift_right<16>(w)), splat(x[step]), total);
  }
};

struct PlainBF16 {
  static constexpr int kBytes = 2, kColumns = 2, kUnits = 1;
  using Unit = int32_t;  // two bfloat16
  static GEMMA4_INLINE Bytes prepare(Bytes w) { return w; }
  static GEMMA4_INLINE Floats add(Floats total, Bytes w, const Unit* x, int) { return dot2_bfloat(total, w, *x); }
};

// Halves rounded to bfloat16, to nearest, ties away from zero; infinity and NaN stay what they are.
struct PlainF16AsBF16 : PlainBF16 {
  static GEMMA4_INLINE Ints round(Floats x) {
    const Floats magnitude = as_floats(bit_and(as_ints(x), splat_int(0x7FFFFFFF)));
    const Floats rounded = as_floats(add_ints(as_ints(x), splat_int(0x8000)));
    return as_ints(where_less(magnitude, splat(INFINITY), rounded, x));
  }
  static GEMMA4_INLINE Bytes prepare(Bytes w) {
    return join_halves(round(low_half(shift_right<16>(w))), shift_right<16>(round(low_half(w))));
  }
};

// Calls take(words, count) with words of kLanes rows in ascending order, 16 bytes of every row at a time; of rows
// that are no multiple of 16 bytes the rest comes filled up with zeros, and nothing behind it is read.
template <class Plain, class Take>
GEMMA4_INLINE void each_words(const Matrix& m, int64_t row, Take&& take) {
  const uint8_t* p = m.data + row * m.row_bytes;
  const int64_t bytes = m.columns * Plain::kBytes, rest = bytes % 16;
  Bytes words[4];
  for (const uint8_t* end = p + bytes - rest; p < end; p += 16) {
    load_transposed(p, m.row_bytes, words);
    take(words, std::integral_constant<int, 4>());
  }
  if (rest == 0) return;
  uint8_t filled[16 * kLanes] = {};
  for (int i = 0; i < kLanes; ++i) std::memcpy(filled + 16 * i, p + i * m.row_bytes, static_cast<size_t>(rest));
  load_transposed(filled, 16, words);
  take(words, static_cast<int>((rest + 3) / 4));
}

// kLanes rows times T tokens.
template <class Plain, int T>
inline void multiply_plain_rows(const Matrix& m, int64_t row, const typename Plain::Unit* x, float* y, int64_t ldy,
                                const uint8_t* line) {
  Floats total[T];
  for (auto& t : total) t = zero();
  each_words<Plain>(m, row, [&](const Bytes* words, auto count) GEMMA4_INLINED {
    for (int i = 0; i < 16 * kLanes; i += 64, line += 64) prefetch(line);
    for (int j = 0; j < count; ++j, x += T * Plain::kUnits) {
      const Bytes w = Plain::prepare(words[j]);
      for (int t = 0; t < T; ++t) total[t] = Plain::add(total[t], w, x + t, T);
    }
  });
  for (int t = 0; t < T; ++t) store(y + t * ldy, total[t]);
}

template <class Plain>
inline void fill_plain_scratch(const Matrix& m, int64_t row, Bytes* out) {
  each_words<Plain>(m, row, [&](const Bytes* words, auto count) GEMMA4_INLINED {
    for (int j = 0; j < count; ++j) *out++ = Plain::prepare(words[j]);
  });
}

// Tiles whose sums lie in registers beside one another: with 32 registers an activation serves two.
constexpr int kTilesAtOnce = kLanes == 16 ? 2 : 1;

// R unpacked tiles one after the other, times T tokens; tile r's results go to y[r].
template <class Plain, int T, int R>
inline void multiply_plain_scratch(const Bytes* words, int64_t num_words, const typename Plain::Unit* x,
                                   float* const* y, int64_t ldy) {
  Floats total[R][T];
  for (auto& tile : total) for (auto& t : tile) t = zero();
  for (int64_t i = 0; i < num_words; ++i, x += T * Plain::kUnits) {
    for (int t = 0; t < T; ++t) {
      for (int r = 0; r < R; ++r) total[r][t] = Plain::add(total[r][t], words[r * num_words + i], x + t, T);
    }
  }
  for (int r = 0; r < R; ++r) for (int t = 0; t < T; ++t) store(y[r] + t * ldy, total[r][t]);
}
