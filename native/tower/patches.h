// Attention of patches: every one sees every other. Included inside a simd namespace.
//
// The lanes of a tile are queries, so the softmax needs nothing across lanes; keys come in blocks with a running
// maximum. Both products are those of linear/plain.h: tiles of queries times keys, tiles of weights times values, as
// many tiles at once as there.

constexpr int64_t kKeyBlock = 512;

inline int64_t patch_scratch_bytes(int64_t width) {
  return kTilesAtOnce * ((kKeyBlock + width) * kLanes * static_cast<int64_t>(sizeof(float)) +
                         kKeyBlock / 2 * static_cast<int64_t>(sizeof(Bytes)));
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
    // Bytes, for they are read as words: the even patches' half of each lies first.
    auto* out = reinterpret_cast<uint8_t*>(a.values + k * a.value_words(count));
    const bool unpaired = t + 1 == count && count % 2 == 1;
    for (int64_t h = 0; h < a.width; ++h) {
      uint8_t* pair = out + ((h / 8 * pairs + t / 2) * 8 + h % 8) * 4;
      const auto half = static_cast<uint16_t>(rounded_bfloat(head[h]));
      __builtin_memcpy(pair + t % 2 * 2, &half, 2);
      if (unpaired) __builtin_memset(pair + 2, 0, 2);
    }
  }
}

// Two rows of positive numbers as pairs of bfloat16, to nearest, ties up.
GEMMA4_INLINE Bytes pair_bfloats(Floats even, Floats odd) {
  const Ints half = splat_int(0x8000);
  return join_halves(add_ints(as_ints(odd), half), shift_right<16>(add_ints(as_ints(even), half)));
}

// R tiles of queries, with what a block of keys makes of them.
template <int R>
struct PatchTiles {
  float* scores[R];  // [kKeyBlock][kLanes]
  Bytes* weights;    // [R][kKeyBlock / 2]
  float* out[R];     // [H][kLanes]
  Floats most[R], total[R];

  PatchTiles(void* scratch, int64_t width) {
    auto* place = static_cast<float*>(scratch);
    for (int r = 0; r < R; ++r, place += kKeyBlock * kLanes) scores[r] = place;
    for (int r = 0; r < R; ++r, place += width * kLanes) out[r] = place;
    weights = reinterpret_cast<Bytes*>(place);
    std::fill_n(out[0], R * width * kLanes, 0.0f);
    for (int r = 0; r < R; ++r) most[r] = splat(-INFINITY), total[r] = zero();
  }

  // scores[s] = query · key s for `count` keys from key `first` on; first is a multiple of kPanel.
  void score(const Bytes* queries, const uint32_t* keys, int64_t first, int64_t count, int64_t width) {
    for (int64_t s = 0; s < count; s += kPanel) {
      const auto* x = reinterpret_cast<const int32_t*>(keys + (first + s) * (width / 2));
      float* y[R];
      for (int r = 0; r < R; ++r) y[r] = scores[r] + s * kLanes;
      with_count(static_cast<int>(std::min<int64_t>(kPanel, count - s)), [&](auto t) {
        multiply_plain_scratch<PlainBF16, t(), R>(queries, width / 2, x, y, kLanes);
      });
    }
  }

  // Scores into weights; what the sums so far are to be multiplied with.
  Floats weigh(int r, int64_t count) {
    float* own = scores[r];
    Floats peak = most[r];
    for (int64_t s = 0; s < count; ++s) peak = max(peak, load(own + s * kLanes));
    const Floats fade = exp(sub(most[r], peak));
    most[r] = peak;
    Floats sum = mul(total[r], fade);
    if (count % 2 == 1) for (int i = 0; i < kLanes; ++i) own[count * kLanes + i] = -INFINITY;
    for (int64_t j = 0; j < (count + 1) / 2; ++j) {
      const Floats even = exp(sub(load(own + 2 * j * kLanes), peak));
      const Floats odd = exp(sub(load(own + (2 * j + 1) * kLanes), peak));
      sum = add(sum, add(even, odd));
      weights[r * (kKeyBlock / 2) + j] = pair_bfloats(even, odd);
    }
    total[r] = sum;
    return fade;
  }

  // out = out · fade + Σ weights · values, 8 columns from h on.
  void add_values(int64_t pairs, const uint32_t* values, const Floats* fade, int64_t h) {
    Floats sums[R][8];
    for (int r = 0; r < R; ++r) for (int i = 0; i < 8; ++i) sums[r][i] = mul(load(out[r] + (h + i) * kLanes), fade[r]);
    const auto* x = reinterpret_cast<const int32_t*>(values);
    for (int64_t j = 0; j < pairs; ++j, x += 8) {
      for (int i = 0; i < 8; ++i) {
        for (int r = 0; r < R; ++r) sums[r][i] = dot2_bfloat(sums[r][i], weights[r * (kKeyBlock / 2) + j], x[i]);
      }
    }
    for (int r = 0; r < R; ++r) for (int i = 0; i < 8; ++i) store(out[r] + (h + i) * kLanes, sums[r][i]);
  }
};

// The attention of head n's queries, R tiles from `tile` on.
template <int R>
inline void attend_patch_tiles(const PatchHeads& a, int64_t n, int64_t tile, int64_t count, void* scratch) {
  PatchTiles<R> tiles(scratch, a.width);
  const int64_t kv = n / (a.num_heads / a.num_kv_heads), all_pairs = (count + 1) / 2;
  const auto* queries = reinterpret_cast<const Bytes*>(a.queries + n * a.query_words(count, kLanes)) + tile * (a.width / 2);
  const uint32_t* keys = a.keys + kv * a.key_words(count);
  const uint32_t* values = a.values + kv * a.value_words(count);
  for (int64_t first = 0; first < count; first += kKeyBlock) {
    const int64_t here = std::min(kKeyBlock, count - first);
    tiles.score(queries, keys, first, here, a.width);
    Floats fade[R];
    for (int r = 0; r < R; ++r) fade[r] = tiles.weigh(r, here);
    for (int64_t h = 0; h < a.width; h += 8) {
      tiles.add_values((here + 1) / 2, values + (h / 8 * all_pairs + first / 2) * 8, fade, h);
    }
  }
  for (int r = 0; r < R; ++r) {
    const Floats inverse = div(splat(1.0f), tiles.total[r]);
    float* out = tiles.out[r];
    for (int64_t h = 0; h < a.width; ++h) store(out + h * kLanes, mul(load(out + h * kLanes), inverse));
    const int64_t from = (tile + r) * kLanes, queries_here = std::min<int64_t>(kLanes, count - from);
    for (int64_t q = 0; q < queries_here; ++q) {
      float* target = a.out + ((from + q) * a.num_heads + n) * a.width;
      for (int64_t h = 0; h < a.width; ++h) target[h] = out[h * kLanes + q];
    }
  }
}

// Tiles are taken kTilesAtOnce at a time: these are number `group` of head n.
inline void attend_patches(const PatchHeads& a, int64_t n, int64_t group, int64_t count, void* scratch) {
  const int64_t tile = group * kTilesAtOnce, left = (count + kLanes - 1) / kLanes - tile;
  if (left >= kTilesAtOnce) return attend_patch_tiles<kTilesAtOnce>(a, n, tile, count, scratch);
  for (int64_t i = 0; i < left; ++i) attend_patch_tiles<1>(a, n, tile + i, count, scratch);
}
