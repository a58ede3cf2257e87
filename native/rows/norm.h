// Row-wise arithmetic in float32. Widths are multiples of kLanes. Included inside a simd namespace.

// 1 / √(mean(x²) + eps).
inline float inverse_rms(const float* x, int64_t width, float eps) {
  Floats squares[4] = {zero(), zero(), zero(), zero()};
  int64_t i = 0;
  for (; i + 4 * kLanes <= width; i += 4 * kLanes) {
    for (int j = 0; j < 4; ++j) {
      const Floats v = load(x + i + j * kLanes);
      squares[j] = fma(v, v, squares[j]);
    }
  }
  for (; i < width; i += kLanes) squares[0] = fma(load(x + i), load(x + i), squares[0]);
  const float total = sum(add(add(squares[0], squares[1]), add(squares[2], squares[3])));
  return 1.0f / std::sqrt(total / static_cast<float>(width) + eps);
}

// out = x · factor · weight; weight null: without. out may be x.
inline void scale(const float* x, float factor, const float* weight, int64_t width, float* out) {
  const Floats times = splat(factor);
  for (int64_t i = 0; i < width; i += kLanes) {
    const Floats scaled = mul(load(x + i), times);
    store(out + i, weight ? mul(scaled, load(weight + i)) : scaled);
  }
}

inline void rms_norm(const float* x, const float* weight, int64_t width, float eps, float* out) {
  scale(x, inverse_rms(x, width, eps), weight, width, out);
}

// x = (x + norm(y) · weight) · scale.
inline void add_norm(float* x, const float* y, const float* weight, int64_t width, float eps, float scale) {
  const Floats inverse = splat(inverse_rms(y, width, eps)), factor = splat(scale);
  for (int64_t i = 0; i < width; i += kLanes) {
    const Floats normed = mul(mul(load(y + i), inverse), load(weight + i));
    store(x + i, mul(add(load(x + i), normed), factor));
  }
}

// out = gelu(gate) · up. out may be gate.
inline void gelu_gate(const float* gate, const float* up, int64_t width, float* out) {
  for (int64_t i = 0; i < width; i += kLanes) store(out + i, mul(gelu(load(gate + i)), load(up + i)));
}

// x = cap · tanh(x / cap).
inline void softcap(float* x, int64_t width, float cap) {
  const Floats factor = splat(cap), inverse = splat(1.0f / cap);
  for (int64_t i = 0; i < width; i += kLanes) store(x + i, mul(factor, tanh(mul(load(x + i), inverse))));
}

// Rotates the pairs (i, i + width / 2) of one head: x · cos + rotated x · sin, cos and sin [width / 2].
inline void rotate(float* x, const float* cos, const float* sin, int64_t width) {
  const int64_t half = width / 2;
  for (int64_t i = 0; i < half; i += kLanes) {
    const Floats a = load(x + i), b = load(x + half + i), c = load(cos + i), s = load(sin + i);
    store(x + i, sub(mul(a, c), mul(b, s)));
    store(x + half + i, add(mul(b, c), mul(a, s)));
  }
}
