// Lanes in plain C++: 4 numbers at a time, for processors that have nothing better. What the functions here say is
// what those of the same name in the other files of simd/ do, bit for bit where nothing else is said.
#pragma once

#include <cmath>
#include <cstdint>

#include "inline.h"

namespace gemma4::portable {

constexpr int kLanes = 4;
constexpr int kDotStep = 8;  // words of columns that dot() takes at best in one go: 1, 2, 4 or 8
constexpr const char* kName = "portable";

struct Floats {
  float lane[kLanes];
};
struct Ints {
  int32_t lane[kLanes];
};
using Bytes = Ints;  // four bytes a lane, the first the lowest

template <class Lanes, class Value>
GEMMA4_INLINE Lanes fill(Value value) {
  Lanes out;
  for (int i = 0; i < kLanes; ++i) out.lane[i] = value(i);
  return out;
}
template <class Value>
GEMMA4_INLINE Floats floats(Value value) { return fill<Floats>(value); }
template <class Value>
GEMMA4_INLINE Ints ints(Value value) {
  return fill<Ints>([&](int i) { return static_cast<int32_t>(value(i)); });
}

template <class To, class From>
GEMMA4_INLINE To same_bits(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  __builtin_memcpy(&to, &from, sizeof to);
  return to;
}

GEMMA4_INLINE Floats splat(float x) { return floats([&](int) { return x; }); }
GEMMA4_INLINE Floats zero() { return splat(0.0f); }
GEMMA4_INLINE Floats load(const float* p) { return floats([&](int i) { return p[i]; }); }
GEMMA4_INLINE void store(float* p, Floats a) { __builtin_memcpy(p, a.lane, sizeof a.lane); }
GEMMA4_INLINE Floats add(Floats a, Floats b) { return floats([&](int i) { return a.lane[i] + b.lane[i]; }); }
GEMMA4_INLINE Floats sub(Floats a, Floats b) { return floats([&](int i) { return a.lane[i] - b.lane[i]; }); }
GEMMA4_INLINE Floats mul(Floats a, Floats b) { return floats([&](int i) { return a.lane[i] * b.lane[i]; }); }
GEMMA4_INLINE Floats div(Floats a, Floats b) { return floats([&](int i) { return a.lane[i] / b.lane[i]; }); }
// a · b + c, rounded once.
GEMMA4_INLINE Floats fma(Floats a, Floats b, Floats c) {
  return floats([&](int i) { return std::fma(a.lane[i], b.lane[i], c.lane[i]); });
}
// No number (NaN) where b is none; where only a is none, b or none.
GEMMA4_INLINE Floats max(Floats a, Floats b) {
  return floats([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
}
GEMMA4_INLINE Floats min(Floats a, Floats b) {
  return floats([&](int i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
}
GEMMA4_INLINE Floats to_floats(Ints a) { return floats([&](int i) { return static_cast<float>(a.lane[i]); }); }
GEMMA4_INLINE Floats as_floats(Ints a) { return same_bits<Floats>(a); }
GEMMA4_INLINE Ints as_ints(Floats a) { return same_bits<Ints>(a); }

GEMMA4_INLINE Ints splat_int(int32_t x) { return ints([&](int) { return x; }); }
// To nearest, ties to even. Any number where a is outside int32 or no number.
GEMMA4_INLINE Ints round_to_ints(Floats a) {
  return ints([&](int i) { return std::fabs(a.lane[i]) < 0x1p31f ? std::nearbyint(a.lane[i]) : INT32_MIN; });
}
GEMMA4_INLINE uint32_t bits_of(int32_t x) { return static_cast<uint32_t>(x); }
GEMMA4_INLINE Ints add_ints(Ints a, Ints b) {
  return ints([&](int i) { return bits_of(a.lane[i]) + bits_of(b.lane[i]); });
}
GEMMA4_INLINE Ints max_ints(Ints a, Ints b) {
  return ints([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
}
template <int N>
GEMMA4_INLINE Ints shift_left(Ints a) { return ints([&](int i) { return bits_of(a.lane[i]) << N; }); }
template <int N>
GEMMA4_INLINE Ints shift_right(Ints a) { return ints([&](int i) { return bits_of(a.lane[i]) >> N; }); }
template <int N>
GEMMA4_INLINE Ints shift_right_signed(Ints a) { return ints([&](int i) { return a.lane[i] >> N; }); }
GEMMA4_INLINE Bytes bit_and(Bytes a, Bytes b) { return ints([&](int i) { return a.lane[i] & b.lane[i]; }); }
// Bits of a where the mask's are 1, of b elsewhere.
GEMMA4_INLINE Bytes bit_select(Bytes mask, Bytes a, Bytes b) {
  return ints([&](int i) { return (mask.lane[i] & a.lane[i]) | (~mask.lane[i] & b.lane[i]); });
}
GEMMA4_INLINE Bytes bit_or(Bytes a, Bytes b) { return ints([&](int i) { return a.lane[i] | b.lane[i]; }); }
// The high 16 bits of every lane of a with the low 16 bits of b.
GEMMA4_INLINE Bytes join_halves(Bytes a, Bytes b) {
  return ints([&](int i) { return (a.lane[i] & ~0xFFFF) | (b.lane[i] & 0xFFFF); });
}

// In whatever order suits the machine.
GEMMA4_INLINE float sum(Floats a) { return (a.lane[0] + a.lane[2]) + (a.lane[1] + a.lane[3]); }
GEMMA4_INLINE float largest(Floats a) {
  float most = a.lane[0];
  for (const float x : a.lane) most = x > most ? x : most;
  return most;
}
GEMMA4_INLINE int32_t sum_ints(Ints a) {
  uint32_t total = 0;
  for (const int32_t x : a.lane) total += bits_of(x);
  return static_cast<int32_t>(total);
}
GEMMA4_INLINE int32_t largest_int(Ints a) {
  int32_t most = a.lane[0];
  for (const int32_t x : a.lane) most = x > most ? x : most;
  return most;
}

// Lanes whose index (0 … kLanes − 1) lies in [low, high) keep a; the others become `other`.
GEMMA4_INLINE Floats keep_range(Floats a, int low, int high, float other) {
  return floats([&](int i) { return i >= low && i < high ? a.lane[i] : other; });
}
// a < b ? yes : no.
GEMMA4_INLINE Floats where_less(Floats a, Floats b, Floats yes, Floats no) {
  return floats([&](int i) { return a.lane[i] < b.lane[i] ? yes.lane[i] : no.lane[i]; });
}

GEMMA4_INLINE float from_bfloat(uint16_t bits) { return same_bits<float>(static_cast<uint32_t>(bits) << 16); }

GEMMA4_INLINE float from_half(uint16_t bits) {
  const uint32_t sign = (bits & 0x8000u) << 16, exponent = bits >> 10 & 31, fraction = bits & 1023;
  if (exponent == 31) return same_bits<float>(sign | 0x7F800000 | fraction << 13);
  if (exponent != 0) return same_bits<float>(sign | (exponent + 112) << 23 | fraction << 13);
  return same_bits<float>(same_bits<uint32_t>(static_cast<float>(fraction) * 0x1p-24f) | sign);
}

// To nearest, ties to even.
GEMMA4_INLINE uint16_t to_half(float x) {
  const uint32_t bits = same_bits<uint32_t>(x), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7FFFFFFF;
  uint32_t half;
  if (magnitude > 0x7F800000) half = 0x7E00 | (magnitude >> 13 & 1023);   // no number
  else if (magnitude >= 0x477FF000) half = 0x7C00;                        // 65520 and above: infinity
  else if (magnitude >= 0x38800000) half = (magnitude - 0x38000000 + 0xFFF + (magnitude >> 13 & 1)) >> 13;
  else half = static_cast<uint32_t>(std::nearbyint(std::fabs(x) * 0x1p24f));  // below 2⁻¹⁴: in units of 2⁻²⁴
  return static_cast<uint16_t>(sign | half);
}

GEMMA4_INLINE Floats load_half(const uint16_t* p) { return floats([&](int i) { return from_half(p[i]); }); }
GEMMA4_INLINE void store_half(uint16_t* p, Floats a) {
  for (int i = 0; i < kLanes; ++i) p[i] = to_half(a.lane[i]);
}
GEMMA4_INLINE Floats load_bfloat(const uint16_t* p) { return floats([&](int i) { return from_bfloat(p[i]); }); }
GEMMA4_INLINE Floats load_signed_bytes(const int8_t* p) {
  return floats([&](int i) { return static_cast<float>(p[i]); });
}
// Numbers outside −128 … 127 become the nearer of the two.
GEMMA4_INLINE void store_signed_bytes(int8_t* p, Ints a) {
  for (int i = 0; i < kLanes; ++i) {
    p[i] = static_cast<int8_t>(a.lane[i] < -128 ? -128 : a.lane[i] > 127 ? 127 : a.lane[i]);
  }
}

// Whether bytes of 8-bit weights go into dot() signed; otherwise from_signed() adds 128.
constexpr bool kSignedWeights = true;
GEMMA4_INLINE Bytes from_signed(Bytes w) { return w; }

// total + Σ over 4 · Count columns: bytes of w[j] times x[4j … 4j + 3]. The bytes are unsigned below 2^Bits; with
// 8 bits they are as from_signed() makes them. No sum on the way overflows for any x.
template <int Bits, int Count>
GEMMA4_INLINE Ints dot(Ints total, const Bytes* w, const int8_t* x) {
  for (int j = 0; j < Count; ++j) {
    for (int i = 0; i < kLanes; ++i) {
      for (int b = 0; b < 4; ++b) total.lane[i] += static_cast<int8_t>(w[j].lane[i] >> 8 * b) * x[4 * j + b];
    }
  }
  return total;
}

// total + odd · odd, rounded, then + even · even, rounded: pairs of bfloat16 of w times the pair x.
GEMMA4_INLINE Floats dot2_bfloat(Floats total, Bytes w, int32_t x) {
  const auto odd = [](int32_t pair) GEMMA4_INLINED { return same_bits<float>(bits_of(pair) & 0xFFFF0000u); };
  const auto even = [](int32_t pair) GEMMA4_INLINED { return same_bits<float>(bits_of(pair) << 16); };
  return floats([&](int i) {
    return std::fma(even(w.lane[i]), even(x), std::fma(odd(w.lane[i]), odd(x), total.lane[i]));
  });
}

// Byte `Index` of every lane, four times.
template <int Index>
GEMMA4_INLINE Bytes repeat_byte(Bytes a) {
  return ints([&](int i) { return (bits_of(a.lane[i]) >> 8 * Index & 255) * 0x01010101u; });
}
// Bytes of a that have any bit of b set become `value`, the others 0.
GEMMA4_INLINE Bytes where_bits(Bytes a, Bytes b, int8_t value) {
  return ints([&](int i) {
    uint32_t out = 0;
    for (int byte = 0; byte < 4; ++byte) {
      const uint32_t mask = 255u << 8 * byte;
      if (bits_of(a.lane[i]) & bits_of(b.lane[i]) & mask) out |= static_cast<uint8_t>(value) * 0x01010101u & mask;
    }
    return out;
  });
}

template <class Value>
GEMMA4_INLINE Value value_at(const uint8_t* p) {
  Value value;
  __builtin_memcpy(&value, p, sizeof value);
  return value;
}

// 16 bytes of each of kLanes rows, transposed: out[j] holds bytes 4j … 4j + 3 of every row.
GEMMA4_INLINE void load_transposed(const uint8_t* p, int64_t stride, Bytes out[4]) {
  for (int j = 0; j < 4; ++j) out[j] = ints([&](int i) { return value_at<int32_t>(p + i * stride + 4 * j); });
}
// A float16, a bfloat16, four bytes of each of kLanes rows.
GEMMA4_INLINE Floats gather_half(const uint8_t* p, int64_t stride) {
  return floats([&](int i) { return from_half(value_at<uint16_t>(p + i * stride)); });
}
GEMMA4_INLINE Floats gather_bfloat(const uint8_t* p, int64_t stride) {
  return floats([&](int i) { return from_bfloat(value_at<uint16_t>(p + i * stride)); });
}
GEMMA4_INLINE Bytes gather_word(const uint8_t* p, int64_t stride) {
  return ints([&](int i) { return value_at<int32_t>(p + i * stride); });
}

// The low 16 bits of every lane as float16.
GEMMA4_INLINE Floats low_half(Bytes a) {
  return floats([&](int i) { return from_half(static_cast<uint16_t>(a.lane[i])); });
}

// Into the second level of the cache: a tile is larger than the first. Never faults.
GEMMA4_INLINE void prefetch(const void* p) { __builtin_prefetch(p, 0, 2); }

}  // namespace gemma4::portable
