// Activations of one token into the packing that a weight's format wants. Included inside a simd namespace.

// The order of the 32 values of a block.
enum class Order { kNatural, kTurned, kEvenOdd };

inline Order order_of(Packing packing, int64_t block, int64_t num_blocks) {
  if (packing == Packing::kBlocksEvenOdd) return Order::kEvenOdd;
  const bool paired = packing == Packing::kBlocksPaired && block < num_blocks / 8 * 8;
  return paired && block % 2 == 0 ? Order::kTurned : Order::kNatural;
}

inline void put_in_order(const int8_t* values, Order order, int8_t* out) {
  switch (order) {
    case Order::kNatural:
      std::memcpy(out, values, 32);
      return;
    case Order::kTurned:  // 14, 15, 0 … 13, and the same 16 later
      for (int half = 0; half < 32; half += 16) {
        std::memcpy(out + half, values + half + 14, 2);
        std::memcpy(out + half + 2, values + half, 14);
      }
      return;
    case Order::kEvenOdd:  // of every eight the even ones first
      for (int i = 0; i < 32; ++i) out[i / 8 * 8 + i % 2 * 4 + i % 8 / 2] = values[i];
  }
}

// The bits of magnitudes are in the magnitudes' order, with infinity and NaN above: neither is overlooked.
inline float largest_magnitude(const float* x, int64_t width) {
  Ints most = splat_int(0);
  for (int64_t i = 0; i < width; i += kLanes) {
    most = max_ints(most, bit_and(as_ints(load(x + i)), splat_int(0x7FFFFFFF)));
  }
  const int32_t bits = largest_int(most);
  float peak;
  __builtin_memcpy(&peak, &bits, 4);
  return peak;
}

// Rounds 32 numbers to 8 bits, scale = largest magnitude / 127. Below 1e-30, where the inverse would overflow, they
// are taken for zero.
inline void pack_block(const float* x, Order order, ActivationBlock* out) {
  const float peak = largest_magnitude(x, 32);
  if (!(peak < INFINITY)) {  // infinity or NaN times zero: it shows in every product
    *out = {};
    out->scale = peak;
    return;
  }
  out->scale = peak / 127.0f;
  const Floats inverse = splat(peak > 1e-30f ? 127.0f / peak : 0.0f);
  alignas(64) int8_t values[32];
  for (int half = 0; half < 2; ++half) {
    Ints sums = splat_int(0);
    for (int i = 16 * half; i < 16 * half + 16; i += kLanes) {
      const Ints rounded = round_to_ints(mul(load(x + i), inverse));
      store_signed_bytes(values + i, rounded);
      sums = add_ints(sums, rounded);
    }
    out->minus_sums[half] = -sum_ints(sums);
  }
  out->minus_sum = out->minus_sums[0] + out->minus_sums[1];
  put_in_order(values, order, out->values);
}

inline uint32_t rounded_bfloat(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, 4);
  if ((bits & 0x7FFFFFFF) > 0x7F800000) return bits >> 16 | 0x40;  // NaN: rounding could carry it over to zero
  return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;  // to nearest, ties to even
}

// Columns [from, to) of token t of `count` tokens, to their place among the panels at `out`. x begins at `from`;
// both borders are multiples of 32, but for the end of a row of plain numbers.
inline void pack(const float* x, int64_t from, int64_t to, int64_t columns, Packing packing, int64_t t, int64_t count,
                 void* out) {
  switch (packing) {
    case Packing::kFloats: {
      const PanelPlace place(t, count, whole_pairs(columns));
      float* target = static_cast<float*>(out) + place.start;
      for (int64_t i = from; i < to; ++i) target[i * place.step] = x[i - from];
      if (to == columns && columns % 2 != 0) target[columns * place.step] = 0.0f;
      return;
    }
    case Packing::kBfloatPairs: {
      const PanelPlace place(t, count, whole_pairs(columns) / 2);
      uint32_t* target = static_cast<uint32_t*>(out) + place.start;
      for (int64_t i = from; i < to; i += 2) {
        const uint32_t odd = i + 1 < columns ? rounded_bfloat(x[i - from + 1]) : 0;
        target[i / 2 * place.step] = rounded_bfloat(x[i - from]) | odd << 16;
      }
      return;
    }
    default: {
      const PanelPlace place(t, count, columns / 32);
      ActivationBlock* target = static_cast<ActivationBlock*>(out) + place.start;
      for (int64_t i = from / 32; i < to / 32; ++i) {
        pack_block(x + 32 * i - from, order_of(packing, i, columns / 32), target + i * place.step);
      }
    }
  }
}
