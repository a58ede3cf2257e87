// Functions of lanes that the machine has no instruction for. Included inside a simd namespace.

// e^x, relative error below 2e-7 for −87 < x < 88; 0 below, at least e^88 above; NaN for NaN.
inline Floats exp(Floats x) {
  const Floats low = splat(-87.3365f);
  const Floats clamped = min(splat(88.3762626647950f), max(low, x));  // x second: NaN stays
  const Ints n = round_to_ints(mul(clamped, splat(1.44269504088896341f)));
  const Floats k = to_floats(n);
  Floats r = fma(k, splat(-0.693359375f), clamped);
  r = fma(k, splat(2.12194440e-4f), r);
  Floats p = splat(1.9875691500e-4f);
  p = fma(p, r, splat(1.3981999507e-3f));
  p = fma(p, r, splat(8.3334519073e-3f));
  p = fma(p, r, splat(4.1665795894e-2f));
  p = fma(p, r, splat(1.6666665459e-1f));
  p = fma(p, r, splat(5.0000001201e-1f));
  p = add(fma(p, mul(r, r), r), splat(1.0f));
  const Floats scaled = mul(p, as_floats(shift_left<23>(add_ints(n, splat_int(127)))));
  return where_less(x, low, zero(), scaled);
}

// tanh(x) = 1 − 2 / (e^2x + 1), absolute error below 3e-7.
inline Floats tanh(Floats x) {
  const Floats twice = exp(mul(x, splat(2.0f)));
  return sub(splat(1.0f), div(splat(2.0f), add(twice, splat(1.0f))));
}

// The tanh form of GELU: x / 2 · (1 + tanh(u)) = x / (1 + e^−2u), u = √(2 / π) · (x + 0.044715 · x³).
inline Floats gelu(Floats x) {
  const Floats square = mul(x, x);
  const Floats minus_2u = mul(x, fma(square, splat(-0.0713548163f), splat(-1.5957691216f)));
  return div(x, add(splat(1.0f), exp(minus_2u)));
}
