// Row-wise arithmetic of the towers, in float32. Widths are multiples of kLanes. Included inside a simd namespace.

// x into [low, high], `count` rows of `width` numbers, ld apart. NaN stays.
inline void clamp(float* x, int64_t count, int64_t ld, int64_t width, float low, float high) {
  const Floats least = splat(low), most = splat(high);
  for (int64_t t = 0; t < count; ++t, x += ld) {
    for (int64_t i = 0; i < width; i += kLanes) store(x + i, min(most, max(least, load(x + i))));
  }
}

// out = x · sigmoid(gate); of x itself: SiLU. out may be x.
inline void sigmoid_gate(const float* x, const float* gate, int64_t width, float* out) {
  for (int64_t i = 0; i < width; i += kLanes) {
    store(out + i, div(load(x + i), add(splat(1.0f), exp(sub(zero(), load(gate + i))))));
  }
}

// Causal depthwise convolution of one row: out = Σ weight[j] · (the row `taps − 1 − j` before x), weight [taps][width].
// Rows before the first are zeros: `rows` are there, x's own counted.
inline void convolve(const float* x, int64_t rows, const float* weight, int64_t taps, int64_t width, float* out) {
  for (int64_t i = 0; i < width; i += kLanes) {
    Floats total = zero();
    for (int64_t j = std::max<int64_t>(0, taps - rows); j < taps; ++j) {
      total = fma(load(x - (taps - 1 - j) * width + i), load(weight + j * width + i), total);
    }
    store(out + i, total);
  }
}

// x rounded to bfloat16, as rounded_bfloat does it.
inline void round_row(const float* x, int64_t width, uint16_t* out) {
  for (int64_t i = 0; i < width; ++i) {
    uint32_t bits;
    __builtin_memcpy(&bits, x + i, 4);
    const uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16, cut = bits >> 16 | 0x40;
    out[i] = static_cast<uint16_t>((bits & 0x7FFFFFFF) > 0x7F800000 ? cut : rounded);
  }
}

// Packs `num_rows` rounded rows of so many columns, ld apart, those of tokens first … of `count`, as pairs of bfloat16:
// what pack() makes of them one by one. first is a multiple of kRowsTogether, columns of 8.
inline void pack_rounded(const uint16_t* rows, int64_t ld, int64_t first, int64_t num_rows, int64_t columns,
                         int64_t count, void* out) {
  auto* panels = static_cast<uint32_t*>(out);
  const int64_t units = columns / 2;
  if (num_rows == kRowsTogether) {
    constexpr int kChunk = kLanes < kPanel ? kLanes : kPanel;  // lanes that fall into one panel
    for (int64_t r = 0; r < num_rows; r += kLanes) {
      const auto* from = reinterpret_cast<const uint8_t*>(rows + r * ld);
      uint32_t* target = panels + (first + r) / kPanel * kPanel * units + r % kPanel;
      for (int64_t i = 0; i < units; i += 4) {
        Bytes words[4];
        load_transposed(from + 4 * i, 2 * ld, words);
        for (int j = 0; j < 4; ++j) {
          for (int part = 0; part < kLanes; part += kChunk) {
            __builtin_memcpy(target + part * units + (i + j) * kPanel, reinterpret_cast<const char*>(&words[j]) + 4 * part,
                             4 * kChunk);
          }
        }
      }
    }
    return;
  }
  for (int64_t r = 0; r < num_rows; ++r) {
    const PanelPlace place(first + r, count, units);
    for (int64_t i = 0; i < units; ++i) {
      __builtin_memcpy(panels + place.start + i * place.step, rows + r * ld + 2 * i, 4);
    }
  }
}

// Softmax over cap · tanh(score / cap), score = (query · scales) · (key · key_scale + distance), times the values.
inline void attend_local(const LocalRow& row, float* scratch) {
  float* query = scratch;
  alignas(64) float weights[kMostSeen];
  for (int64_t h = 0; h < row.width; h += kLanes) store(query + h, mul(load(row.query + h), load(row.scales + h)));
  for (int s = 0; s < row.seen; ++s) {
    const float* key = row.key - s * row.ld;
    const float* distance = row.distances + s * row.ld_distances;
    Floats total = zero();
    for (int64_t h = 0; h < row.width; h += kLanes) {
      total = fma(load(query + h), fma(load(key + h), splat(row.key_scale), load(distance + h)), total);
    }
    weights[s] = sum(total);
  }
  const int whole = (row.seen + kLanes - 1) / kLanes * kLanes;
  for (int s = row.seen; s < whole; ++s) weights[s] = 0.0f;
  const Floats cap = splat(row.cap), inverse_cap = splat(1.0f / row.cap);
  Floats peak = splat(-INFINITY), total = zero();
  for (int s = 0; s < whole; s += kLanes) {
    const Floats capped = mul(cap, tanh(mul(load(weights + s), inverse_cap)));
    const Floats seen = keep_range(capped, 0, row.seen - s, -INFINITY);
    store(weights + s, seen);
    peak = max(peak, seen);
  }
  const Floats most = splat(largest(peak));
  for (int s = 0; s < whole; s += kLanes) {
    const Floats weight = exp(sub(load(weights + s), most));
    store(weights + s, weight);
    total = add(total, weight);
  }
  const Floats inverse = splat(1.0f / sum(total));
  for (int64_t h = 0; h < row.width; h += kLanes) {
    Floats mixed = zero();
    for (int s = 0; s < row.seen; ++s) mixed = fma(splat(weights[s]), load(row.value - s * row.ld + h), mixed);
    store(row.out + h, mul(mixed, inverse));
  }
}
