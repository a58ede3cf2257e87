// Attention of up to kRows query rows that share a key head, over pages of 32 positions. Included inside a simd
// namespace.
//
// A page of keys is [H][32], its lanes are positions; a page of values is [32][H]. Pages are taken in ascending
// order with a running maximum, and their borders lie at multiples of 32: a row's result depends neither on the
// rows beside it nor on how its prompt was cut.

struct Half {
  using Number = uint16_t;
  static Floats load(const Number* p) { return load_half(p); }
};
struct Bfloat {
  using Number = uint16_t;
  static Floats load(const Number* p) { return load_bfloat(p); }
};
struct Single {
  using Number = float;
  static Floats load(const Number* p) { return gemma4::GEMMA4_SIMD::load(p); }
};
struct SignedBytes {
  using Number = int8_t;
  static Floats load(const Number* p) { return load_signed_bytes(p); }
};

// One page of one key head. Scales are null unless the numbers are bytes: then float32 [32] each.
template <class Numbers>
struct PageView {
  const typename Numbers::Number* keys;
  const typename Numbers::Number* values;
  const float* key_scales;
  const float* value_scales;
};

// The state of R rows: running maximum and sum, and what the values add up to, [R][H].
template <int R>
struct Running {
  float most[R];
  float total[R];
  float* out;
};

// scores[r][32] = q[r] · keys, q packed [H][R].
template <class Numbers, int R>
inline void score_page(const PageView<Numbers>& page, const PageView<Numbers>& next, const float* q, int64_t width,
                       float* scores) {
  constexpr int kParts = kPage / kLanes, kTogether = kParts < 2 ? kParts : 2;
  for (int part = 0; part < kParts; part += kTogether) {
    Floats sums[R][kTogether];
    for (auto& row : sums) for (auto& s : row) s = zero();
    const auto* keys = page.keys + part * kLanes;
    for (int64_t h = 0; h < width; ++h) {
      prefetch(next.keys + h * kPage + part * kLanes);
      Floats k[kTogether];
      for (int c = 0; c < kTogether; ++c) k[c] = Numbers::load(keys + h * kPage + c * kLanes);
      for (int r = 0; r < R; ++r) {
        for (int c = 0; c < kTogether; ++c) sums[r][c] = fma(splat(q[h * R + r]), k[c], sums[r][c]);
      }
    }
    for (int c = 0; c < kTogether; ++c) {
      const int at = (part + c) * kLanes;
      for (int r = 0; r < R; ++r) {
        store(scores + r * kPage + at, page.key_scales ? mul(sums[r][c], load(page.key_scales + at)) : sums[r][c]);
      }
    }
  }
}

// Columns h … h + C · kLanes of add_values.
template <class Numbers, int R, int C>
inline void add_columns(const PageView<Numbers>& page, const PageView<Numbers>& next, const float* p, int low, int high,
                        int64_t width, int64_t h, float* out) {
  Floats sums[R][C];
  for (int r = 0; r < R; ++r) for (int c = 0; c < C; ++c) sums[r][c] = load(out + r * width + h + c * kLanes);
  for (int s = low; s < high; ++s) {
    prefetch(next.values + s * width + h);
    Floats v[C];
    for (int c = 0; c < C; ++c) v[c] = Numbers::load(page.values + s * width + h + c * kLanes);
    for (int r = 0; r < R; ++r) {
      for (int c = 0; c < C; ++c) sums[r][c] = fma(splat(p[r * kPage + s]), v[c], sums[r][c]);
    }
  }
  for (int r = 0; r < R; ++r) for (int c = 0; c < C; ++c) store(out + r * width + h + c * kLanes, sums[r][c]);
}

// out[r] += Σ p[r][position] · values[position] over positions [low, high) of the page. Others may hold anything.
template <class Numbers, int R>
inline void add_values(const PageView<Numbers>& page, const PageView<Numbers>& next, const float* p, int low, int high,
                       int64_t width, float* out) {
  int64_t h = 0;
  for (; h + 2 * kLanes <= width; h += 2 * kLanes) add_columns<Numbers, R, 2>(page, next, p, low, high, width, h, out);
  if (h < width) add_columns<Numbers, R, 1>(page, next, p, low, high, width, h, out);
}

// Takes a page into the running state; row r sees positions [low[r], high[r]) of the page.
template <class Numbers, int R>
inline void take_page(const PageView<Numbers>& page, const PageView<Numbers>& next, const float* q, int64_t width,
                      const int* low, const int* high, Running<R>& state) {
  alignas(64) float p[R * kPage];
  score_page<Numbers, R>(page, next, q, width, p);
  for (int r = 0; r < R; ++r) {
    float* row = p + r * kPage;
    if (high[r] <= 0 || low[r] >= kPage) {  // nothing seen: the maximum of nothing would make weights of NaN
      for (int i = 0; i < kPage; i += kLanes) store(row + i, zero());
      continue;
    }
    Floats peak = splat(-INFINITY);
    for (int i = 0; i < kPage; i += kLanes) {
      const Floats seen = keep_range(load(row + i), low[r] - i, high[r] - i, -INFINITY);
      store(row + i, seen);
      peak = max(peak, seen);
    }
    const float most = std::max(state.most[r], largest(peak));
    Floats weights = zero();
    for (int i = 0; i < kPage; i += kLanes) {
      const Floats weight = exp(sub(load(row + i), splat(most)));
      weights = add(weights, weight);
      store(row + i, page.value_scales ? mul(weight, load(page.value_scales + i)) : weight);
    }
    if (most != state.most[r]) {
      const float fade = state.most[r] == -INFINITY ? 0.0f : std::exp(state.most[r] - most);
      state.total[r] *= fade;
      for (int64_t h = 0; h < width; h += kLanes) {
        store(state.out + r * width + h, mul(load(state.out + r * width + h), splat(fade)));
      }
      state.most[r] = most;
    }
    state.total[r] += sum(weights);
  }
  const int first = std::max(0, *std::min_element(low, low + R));
  const int last = std::min(kPage, *std::max_element(high, high + R));
  add_values<Numbers, R>(page, next, p, first, last, width, state.out);
}

template <class Numbers>
inline PageView<Numbers> view_page(const PageLayer& layer, int64_t page, int64_t head) {
  using Number = typename Numbers::Number;
  const int64_t place = page * layer.page_step + layer.row_step + head;  // of a head's block, in heads
  const int64_t numbers = place * layer.width * kPage;
  const auto scales = [&](const float* all) { return all ? all + place * kPage : nullptr; };
  return {static_cast<const Number*>(layer.keys) + numbers, static_cast<const Number*>(layer.values) + numbers,
          scales(layer.key_scales), scales(layer.value_scales)};
}

template <class Numbers, int R>
inline void attend_rows(const AttentionTile& tile, float* scratch) {
  const int64_t width = tile.layer->width;
  float* q = scratch;
  Running<R> state;
  state.out = scratch + R * width;
  std::fill_n(state.out, R * width, 0.0f);
  std::fill_n(state.most, R, -INFINITY);
  std::fill_n(state.total, R, 0.0f);
  for (int r = 0; r < R; ++r) for (int64_t h = 0; h < width; ++h) q[h * R + r] = tile.query[r][h];
  const int first = *std::min_element(tile.low, tile.low + R), last = *std::max_element(tile.high, tile.high + R);
  for (int block = first / kPage; block * kPage < last; ++block) {
    int low[R], high[R];
    for (int r = 0; r < R; ++r) {
      low[r] = tile.low[r] - block * kPage;
      high[r] = tile.high[r] - block * kPage;
    }
    const int following = (block + 1) * kPage < last ? block + 1 : block;  // fetched while this one is taken
    take_page<Numbers, R>(view_page<Numbers>(*tile.layer, tile.table[block], tile.head),
                          view_page<Numbers>(*tile.layer, tile.table[following], tile.head), q, width, low, high, state);
  }
  for (int r = 0; r < R; ++r) {
    const Floats inverse = splat(1.0f / state.total[r]);
    for (int64_t h = 0; h < width; h += kLanes) store(tile.out[r] + h, mul(load(state.out + r * width + h), inverse));
  }
}

inline void attend(const AttentionTile& tile, float* scratch) {
  with_count(tile.num_rows, [&](auto rows) {
    switch (tile.layer->stored) {
      case Stored::F32: return attend_rows<Single, rows()>(tile, scratch);
      case Stored::F16: return attend_rows<Half, rows()>(tile, scratch);
      case Stored::BF16: return attend_rows<Bfloat, rows()>(tile, scratch);
      case Stored::I8: return attend_rows<SignedBytes, rows()>(tile, scratch);
    }
  });
}
