// Block formats: 32 columns of kLanes rows, unpacked to bytes that dot() takes. Included inside a simd namespace.
//
// Every format comes as groups of 32 columns: bytes w[j] hold columns 4j … 4j + 3 of each row, unsigned numbers of
// kBits with kOffset added (those of 8 bits signed where the machine has it so), and
//   kPlain   weight = scale · (w − offset)
//   kShifted weight = scale · w − second
//   kHalves  weight = scale · (w − offset) in columns 0–15, second · (w − offset) in columns 16–31.

enum class Shape { kPlain, kShifted, kHalves };

struct Group {
  Bytes w[8];
  Floats scale;
  Floats second;
};

GEMMA4_INLINE Bytes low_nibbles(Bytes a) { return bit_and(a, splat_int(0x0F0F0F0F)); }
GEMMA4_INLINE Bytes high_nibbles(Bytes a) { return bit_and(shift_right<4>(a), splat_int(0x0F0F0F0F)); }

// Columns 0–15 in the low nibbles of 16 bytes, 16–31 in the high ones.
GEMMA4_INLINE void unpack_nibbles(const uint8_t* p, int64_t stride, Bytes w[8]) {
  Bytes raw[4];
  load_transposed(p, stride, raw);
  for (int j = 0; j < 4; ++j) {
    w[j] = low_nibbles(raw[j]);
    w[j + 4] = high_nibbles(raw[j]);
  }
}

// The fifth bits of 32 columns, one word a row, into the place of bit 4.
GEMMA4_INLINE void add_fifth_bits(Bytes bits, Bytes w[8]) {
  const Bytes low = splat_int(0x08040201), high = splat_int(static_cast<int32_t>(0x80402010));
  const auto put = [&](Bytes byte, int j) GEMMA4_INLINED {
    w[j] = bit_or(w[j], where_bits(byte, low, 16));
    w[j + 1] = bit_or(w[j + 1], where_bits(byte, high, 16));
  };
  put(repeat_byte<0>(bits), 0);
  put(repeat_byte<1>(bits), 2);
  put(repeat_byte<2>(bits), 4);
  put(repeat_byte<3>(bits), 6);
}

// 18 bytes a block: eight blocks are nine loads of 16 bytes, and the scales fall out of them without a gather. Of each
// pair of blocks the first lies two bytes off a word: its columns come in the order 14, 15, 0, 1, 2 … 13 (and 16 more),
// and activations are packed in that order too (kBlocksPaired). Blocks beyond the last eight come one by one, in order.
struct Q4_0 {
  static constexpr int kColumns = 256, kBytes = 144, kBits = 4, kOffset = 8;
  static constexpr Shape kShape = Shape::kPlain;
  template <class Sink>
  static GEMMA4_INLINE void unpack(const uint8_t* p, int64_t stride, Sink&& sink) {
    Bytes raw[12];  // four loads give 16 words, nine of which make a pair of blocks
    load_transposed(p, stride, raw);
    load_transposed(p + 16, stride, raw + 4);
    load_transposed(p + 32, stride, raw + 8);
    pair(0, raw, sink);
    for (int j = 0; j < 3; ++j) raw[j] = raw[9 + j];
    load_transposed(p + 48, stride, raw + 3);
    load_transposed(p + 64, stride, raw + 7);
    pair(2, raw, sink);
    raw[0] = raw[9];
    raw[1] = raw[10];
    load_transposed(p + 80, stride, raw + 2);
    load_transposed(p + 96, stride, raw + 6);
    pair(4, raw, sink);
    raw[0] = raw[9];
    load_transposed(p + 112, stride, raw + 1);
    load_transposed(p + 128, stride, raw + 5);
    pair(6, raw, sink);
  }
  template <class Sink>
  static GEMMA4_INLINE void unpack_single(const uint8_t* p, int64_t stride, Sink&& sink) {
    Group g;
    g.scale = gather_half(p, stride);
    unpack_nibbles(p + 2, stride, g.w);
    sink(0, g);
  }

 private:
  template <class Sink>
  static GEMMA4_INLINE void pair(int index, const Bytes c[9], Sink&& sink) {
    Group g;
    const Bytes first[4] = {join_halves(c[0], c[4]), c[1], c[2], c[3]};
    split(first, g.w);
    g.scale = low_half(c[0]);
    sink(index, g);
    split(c + 5, g.w);
    g.scale = low_half(shift_right<16>(c[4]));
    sink(index + 1, g);
  }
  static GEMMA4_INLINE void split(const Bytes raw[4], Bytes w[8]) {
    for (int j = 0; j < 4; ++j) {
      w[j] = low_nibbles(raw[j]);
      w[j + 4] = high_nibbles(raw[j]);
    }
  }
};

struct Q4_1 {
  static constexpr int kColumns = 32, kBytes = 20, kBits = 4, kOffset = 0;
  static constexpr Shape kShape = Shape::kShifted;
  template <class Sink>
  static GEMMA4_INLINE void unpack(const uint8_t* p, int64_t stride, Sink&& sink) {
    Group g;
    const Bytes both = gather_word(p, stride);
    g.scale = low_half(both);
    g.second = sub(zero(), low_half(shift_right<16>(both)));
    unpack_nibbles(p + 4, stride, g.w);
    sink(0, g);
  }
};

struct Q5_0 {
  static constexpr int kColumns = 32, kBytes = 22, kBits = 5, kOffset = 16;
  static constexpr Shape kShape = Shape::kPlain;
  template <class Sink>
  static GEMMA4_INLINE void unpack(const uint8_t* p, int64_t stride, Sink&& sink) {
    Group g;
    g.scale = gather_half(p, stride);
    unpack_nibbles(p + 6, stride, g.w);
    add_fifth_bits(gather_word(p + 2, stride), g.w);
    sink(0, g);
  }
};

struct Q5_1 {
  static constexpr int kColumns = 32, kBytes = 24, kBits = 5, kOffset = 0;
  static constexpr Shape kShape = Shape::kShifted;
  template <class Sink>
  static GEMMA4_INLINE void unpack(const uint8_t* p, int64_t stride, Sink&& sink) {
    Group g;
    const Bytes both = gather_word(p, stride);
    g.scale = low_half(both);
    g.second = sub(zero(), low_half(shift_right<16>(both)));
    unpack_nibbles(p + 8, stride, g.w);
    add_fifth_bits(gather_word(p + 4, stride), g.w);
    sink(0, g);
  }
};

struct Q8_0 {
  static constexpr int kColumns = 32, kBytes = 34, kBits = 8, kOffset = kSignedWeights ? 0 : 128;
  static constexpr Shape kShape = Shape::kPlain;
  template <class Sink>
  static GEMMA4_INLINE void unpack(const uint8_t* p, int64_t stride, Sink&& sink) {
    Group g;
    g.scale = gather_half(p, stride);
    load_transposed(p + 2, stride, g.w);
    load_transposed(p + 18, stride, g.w + 4);
    for (auto& w : g.w) w = from_signed(w);
    sink(0, g);
  }
};

// The 6-bit scales and minimums of Q4_K and Q5_K: 16 bytes d | dmin | 12 packed, see quant/blocks256.py.
struct SixBitScales {
  Bytes scales[2], minimums[2];  // byte g of a lane belongs to group g, or g + 4
  Floats d, dmin;

  GEMMA4_INLINE SixBitScales(const uint8_t* p, int64_t stride) {
    Bytes raw[4];
    load_transposed(p, stride, raw);
    d = low_half(raw[0]);
    dmin = low_half(shift_right<16>(raw[0]));
    const Bytes six = splat_int(0x3F3F3F3F), top = splat_int(0x30303030);
    scales[0] = bit_and(raw[1], six);
    minimums[0] = bit_and(raw[2], six);
    scales[1] = bit_or(low_nibbles(raw[3]), bit_and(shift_right<2>(raw[1]), top));
    minimums[1] = bit_or(high_nibbles(raw[3]), bit_and(shift_right<2>(raw[2]), top));
  }

  template <int G>
  GEMMA4_INLINE void put(Group& g) const {
    const auto byte = [](Bytes a) GEMMA4_INLINED { return to_floats(bit_and(shift_right<8 * (G % 4)>(a), splat_int(255))); };
    g.scale = mul(d, byte(scales[G / 4]));
    g.second = mul(dmin, byte(minimums[G / 4]));
  }
};

struct Q4_K {
  static constexpr int kColumns = 256, kBytes = 144, kBits = 4, kOffset = 0;
  static constexpr Shape kShape = Shape::kShifted;
  template <class Sink>
  static GEMMA4_INLINE void unpack(const uint8_t* p, int64_t stride, Sink&& sink) {
    const SixBitScales scales(p, stride);
    pair<0>(p, stride, scales, sink);
    pair<1>(p, stride, scales, sink);
    pair<2>(p, stride, scales, sink);
    pair<3>(p, stride, scales, sink);
  }

 private:
  // 32 bytes: group 2P in the low nibbles, 2P + 1 in the high ones.
  template <int P, class Sink>
  static GEMMA4_INLINE void pair(const uint8_t* p, int64_t stride, const SixBitScales& scales, Sink&& sink) {
    Bytes raw[8];
    load_transposed(p + 16 + 32 * P, stride, raw);
    load_transposed(p + 32 + 32 * P, stride, raw + 4);
    Group g;
    for (int j = 0; j < 8; ++j) g.w[j] = low_nibbles(raw[j]);
    scales.put<2 * P>(g);
    sink(2 * P, g);
    for (int j = 0; j < 8; ++j) g.w[j] = high_nibbles(raw[j]);
    scales.put<2 * P + 1>(g);
    sink(2 * P + 1, g);
  }
};

struct Q5_K {
  static constexpr int kColumns = 256, kBytes = 176, kBits = 5, kOffset = 0;
  static constexpr Shape kShape = Shape::kShifted;
  template <class Sink>
  static GEMMA4_INLINE void unpack(const uint8_t* p, int64_t stride, Sink&& sink) {
    const SixBitScales scales(p, stride);
    Bytes fifth[8];  // bit g of byte c is the fifth bit of column c of group g
    load_transposed(p + 16, stride, fifth);
    load_transposed(p + 32, stride, fifth + 4);
    pair<0>(p, stride, scales, fifth, sink);
    pair<1>(p, stride, scales, fifth, sink);
    pair<2>(p, stride, scales, fifth, sink);
    pair<3>(p, stride, scales, fifth, sink);
  }

 private:
  template <int G>
  static GEMMA4_INLINE Bytes fifth_of(Bytes a) {
    const Bytes bit = splat_int(0x10101010);
    if constexpr (G < 4) return bit_and(shift_left<4 - G>(a), bit);
    else return bit_and(shift_right<G - 4>(a), bit);
  }
  template <int P, class Sink>
  static GEMMA4_INLINE void pair(const uint8_t* p, int64_t stride, const SixBitScales& scales, const Bytes fifth[8],
                   Sink&& sink) {
    Bytes raw[8];
    load_transposed(p + 48 + 32 * P, stride, raw);
    load_transposed(p + 64 + 32 * P, stride, raw + 4);
    Group g;
    for (int j = 0; j < 8; ++j) g.w[j] = bit_or(low_nibbles(raw[j]), fifth_of<2 * P>(fifth[j]));
    scales.put<2 * P>(g);
    sink(2 * P, g);
    for (int j = 0; j < 8; ++j) g.w[j] = bit_or(high_nibbles(raw[j]), fifth_of<2 * P + 1>(fifth[j]));
    scales.put<2 * P + 1>(g);
    sink(2 * P + 1, g);
  }
};

struct Q6_K {
  static constexpr int kColumns = 256, kBytes = 210, kBits = 6, kOffset = 32;
  static constexpr Shape kShape = Shape::kHalves;
  template <class Sink>
  static GEMMA4_INLINE void unpack(const uint8_t* p, int64_t stride, Sink&& sink) {
    Bytes scales[4];  // byte i of scales[j] is the scale of columns 16(4j + i) …
    load_transposed(p + 192, stride, scales);
    const Floats d = gather_half(p + 208, stride);
    half<0>(p, stride, d, scales, sink);
    half<1>(p, stride, d, scales, sink);
  }

 private:
  // 128 columns: low nibbles of 64 bytes are groups 0 and 1, high nibbles 2 and 3; 32 bytes of 2-bit pairs.
  template <int H, class Sink>
  static GEMMA4_INLINE void half(const uint8_t* p, int64_t stride, Floats d, const Bytes scales[4], Sink&& sink) {
    Bytes low[16], high[8];
    for (int i = 0; i < 4; ++i) load_transposed(p + 64 * H + 16 * i, stride, low + 4 * i);
    for (int i = 0; i < 2; ++i) load_transposed(p + 128 + 32 * H + 16 * i, stride, high + 4 * i);
    const Bytes two = splat_int(0x30303030);
    Group g;
    for (int j = 0; j < 8; ++j) g.w[j] = bit_select(two, shift_left<4>(high[j]), low_nibbles(low[j]));
    put_scales<0>(g, d, scales[2 * H]);
    sink(4 * H, g);
    for (int j = 0; j < 8; ++j) g.w[j] = bit_select(two, shift_left<2>(high[j]), low_nibbles(low[8 + j]));
    put_scales<2>(g, d, scales[2 * H]);
    sink(4 * H + 1, g);
    for (int j = 0; j < 8; ++j) g.w[j] = bit_select(two, high[j], high_nibbles(low[j]));
    put_scales<0>(g, d, scales[2 * H + 1]);
    sink(4 * H + 2, g);
    for (int j = 0; j < 8; ++j) g.w[j] = bit_select(two, shift_right<2>(high[j]), high_nibbles(low[8 + j]));
    put_scales<2>(g, d, scales[2 * H + 1]);
    sink(4 * H + 3, g);
  }
  template <int I>
  static GEMMA4_INLINE void put_scales(Group& g, Floats d, Bytes scales) {
    g.scale = mul(d, to_floats(shift_right_signed<24>(shift_left<24 - 8 * I>(scales))));
    g.second = mul(d, to_floats(shift_right_signed<24>(shift_left<16 - 8 * I>(scales))));
  }
};

// Eight nibbles a word, scales beside the weight. w[2j] holds columns 8j, 8j + 2, 8j + 4, 8j + 6, w[2j + 1] the odd
// ones: activations come packed in the same order.
struct W4A16 {
  static constexpr int kColumns = 32, kBytes = 16, kBits = 4, kOffset = 8;
  static constexpr Shape kShape = Shape::kPlain;
  template <class Sink>
  static GEMMA4_INLINE void unpack(const Matrix& m, int64_t row, int64_t block, Sink&& sink) {
    Group g;
    const int64_t groups = m.columns / m.group;
    const uint16_t* scale = m.scales + row * groups + block * kColumns / m.group;
    g.scale = gather_bfloat(reinterpret_cast<const uint8_t*>(scale), 2 * groups);
    Bytes raw[4];
    load_transposed(m.data + row * m.row_bytes + block * kBytes, m.row_bytes, raw);
    for (int j = 0; j < 4; ++j) {
      g.w[2 * j] = low_nibbles(raw[j]);
      g.w[2 * j + 1] = high_nibbles(raw[j]);
    }
    sink(0, g);
  }
};
