// Attention of patches: every one sees every other. Included inside a simd namespace.
//
// The lanes of a tile are queries, so the softmax needs nothing across lanes; keys come in blocks with a running
// maximum. Both products are those of linear/plain.h: tiles of queries times keys, tiles of weights times values.

constexpr int64_t kKeyBlock = 512;

inline int64_t patch_scratch_bytes(int64_t width) {
  return (kKeyBlock + width) * kLanes * static_cast<int64_t>(sizeof(float)) +
         kKeyBlock / 2 * static_cast<int64_t>(sizeof(Bytes));
}

// Widths of heads need not be multiples of kLanes.
inline void norm_head(const float* x, const float* weight, int64_t width, float eps, float* out) {
  if (width % kLanes == 0) return rms_norm(x, weight, width, eps, out);
  float squares[8] = {};
  for (int64_t i = 0; i < width; i += 8) for (int j = 0; j < 8; ++j) squares[j] += x[i + j] * x[i + j];
  float total = 0.0f;
  for (const float s : squares) total += s;
  const float factor = 1.0f / std::sqrt(total / static_cast<float>(width) + eps);
  for (int64_t i = 0; i < width; ++i) out[i] = weight ? x[i] * factor * weight[i] : x[i] * factor;
}

// Turns each half of a head by its own axis.
inline void rotate_head(float* x, const float* cos, const float* sin, int64_t width) {
  const int64_t quarter = width / 4;
  for (int axis = 0; axis < 2; ++axis, x += width / 2, cos += quarter, sin += quarter) {
    if (quarter % kLanes == 0) {
      rotate(x, cos, sin, width / 2);
      continue;
    }
    for (int64_t i = 0; i < quarter; ++i) {
      const float a = x[i], b = x[quarter + i];
      x[i] = a * cos[i] - b * sin[i];
      x[quarter + i] = b * cos[i] + a * sin[i];
    }
  }
}

// Normed, turned and rounded: patch t's heads, to their places among those of `count` patches. head has room for H.
inline void place_heads(const PatchHeads& a, int64_t t, int64_t count, float* head) {
  const float* cos = a.cos + t * (a.width / 2);
  const float* sin = a.sin + t * (a.width / 2);
  for (int64_t n = 0; n < a.num_heads; ++n) {
    norm_head(a.query + t * a.ld_query + n * a.width, a.query_norm, a.width, a.eps, head);
    rotate_head(head, cos, sin, a.width);
    uint32_t* out = a.queries + n * a.query_words(count, kLanes) + t / kLanes * kLanes * (a.width / 2) + t % kLanes;
    for (int64_t i = 0; i < a.width / 2; ++i) {
      out[i * kLanes] = rounded_bfloat(head[2 * i]) | rounded_bfloat(head[2 * i + 1]) << 16;
    }
  }
  const int64_t pairs = (count + 1) / 2;
  for (int64_t k = 0; k < a.num_kv_heads; ++k) {
    norm_head(a.key + t * a.ld_key + k * a.width, a.key_norm, a.width, a.eps, head);
    rotate_head(head, cos, sin, a.width);
    pack(head, 0, a.width, a.width, Packing::kBfloatPairs, t, count, a.keys + k * a.key_words(count));
    norm_head(a.value + t * a.ld_key + k * a.width, nullptr, a.width, a.eps, head);
    auto* out = reinterpret_cast<uint16_t*>(a.values + k * a.value_words(count));
    const bool unpaired = t + 1 == count && count % 2 == 1;
    for (int64_t h = 0; h < a.width; ++h) {
      uint16_t* pair = out + ((h / 8 * pairs + t / 2) * 8 + h % 8) * 2;
      pair[t % 2] = static_cast<uint16_t>(rounded_bfloat(head[h]));
      if (unpaired) pair[1] = 0;
    }
  }
}

// Two rows of positive numbers as pairs of bfloat16, to nearest, ties up.
GEMMA4_INLINE Bytes pair_bfloats(Floats even, Floats odd) {
  const Ints half = splat_int(0x8000);
  return join_halves(add_ints(as_ints(odd), half), shift_right<16>(add_ints(as_ints(even), half)));
}

// scores[s] = query · key s for `count` keys from key `first` on; first is a multiple of kPanel.
inline void score_keys(const Bytes* query, const uint32_t* keys, int64_t first, int64_t count, int64_t width,
                       float* scores) {
  for (int64_t s = 0; s < count; s += kPanel) {
    const auto* x = reinterpret_cast<const int32_t*>(keys + (first + s) * (width / 2));
    with_count(static_cast<int>(std::min<int64_t>(kPanel, count - s)), [&](auto t) {
      multiply_plain_scratch<PlainBF16, t()>(query, width / 2, x, scores + s * kLanes, kLanes);
    });
  }
}

// out = out · fade + Σ weights · values, 8 columns.
inline void add_values(const Bytes* weights, int64_t pairs, const uint32_t* values, Floats fade, float* out) {
  Floats total[8];
  for (int h = 0; h < 8; ++h) total[h] = mul(load(out + h * kLanes), fade);
  const auto* x = reinterpret_cast<const int32_t*>(values);
  for (int64_t j = 0; j < pairs; ++j, x += 8) {
    for (int h = 0; h < 8; ++h) total[h] = dot2_bfloat(total[h], weights[j], x[h]);
  }
  for (int h = 0; h < 8; ++h) store(out + h * kLanes, total[h]);
}

// The attention of queries tile · kLanes … of head n.
inline void attend_patches(const PatchHeads& a, int64_t n, int64_t tile, int64_t count, void* scratch) {
  float* scores = static_cast<float*>(scratch);
  float* out = scores + kKeyBlock * kLanes;
  auto* weights = reinterpret_cast<Bytes*>(out + a.width * kLanes);
  const int64_t kv = n / (a.num_heads / a.num_kv_heads), all_pairs = (count + 1) / 2;
  const auto* query = reinterpret_cast<const Bytes*>(a.queries + n * a.query_words(count, kLanes)) + tile * (a.width / 2);
  const uint32_t* keys = a.keys + kv * a.key_words(count);
  const uint32_t* values = a.values + kv * a.value_words(count);
  std::fill_n(out, a.width * kLanes, 0.0f);
  Floats most = splat(-INFINITY), total = zero();
  for (int64_t first = 0; first < count; first += kKeyBlock) {
    const int64_t here = std::min(kKeyBlock, count - first), pairs = (here + 1) / 2;
    score_keys(query, keys, first, here, a.width, scores);
    Floats peak = most;
    for (int64_t s = 0; s < here; ++s) peak = max(peak, load(scores + s * kLanes));
    const Floats fade = exp(sub(most, peak));
    most = peak;
    total = mul(total, fade);
    if (here % 2 == 1) for (int i = 0; i < kLanes; ++i) scores[here * kLanes + i] = -INFINITY;
    for (int64_t j = 0; j < pairs; ++j) {
      const Floats even = exp(sub(load(scores + 2 * j * kLanes), most));
      const Floats odd = exp(sub(load(scores + (2 * j + 1) * kLanes), most));
      total = add(total, add(even, odd));
      weights[j] = pair_bfloats(even, odd);
    }
    for (int64_t h = 0; h < a.width; h += 8) {
      add_values(weights, pairs, values + (h / 8 * all_pairs + first / 2) * 8, fade, out + h * kLanes);
    }
  }
  const Floats inverse = div(splat(1.0f), total);
  for (int64_t h = 0; h < a.width; ++h) store(out + h * kLanes, mul(load(out + h * kLanes), inverse));
  const int64_t queries = std::min<int64_t>(kLanes, count - tile * kLanes);
  for (int64_t q = 0; q < queries; ++q) {
    float* target = a.out + ((tile * kLanes + q) * a.num_heads + n) * a.width;
    for (int64_t h = 0; h < a.width; ++h) target[h] = out[h * kLanes + q];
  }
}
