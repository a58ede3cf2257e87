// Lanes of AVX2 with FMA and F16C, and of AVX-VNNI where the compiler has it: 8 numbers at a time.
// simd/portable.h says what each function does.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "inline.h"

namespace gemma4::GEMMA4_SIMD {

#if defined(__AVXVNNI__)
constexpr const char* kName = "avx-vnni";
constexpr int kDotStep = 2;
#else
constexpr const char* kName = "avx2";
constexpr int kDotStep = 8;
#endif
constexpr int kLanes = 8;

using Floats = __m256;
using Ints = __m256i;
using Bytes = __m256i;

GEMMA4_INLINE Floats zero() { return _mm256_setzero_ps(); }
GEMMA4_INLINE Floats splat(float x) { return _mm256_set1_ps(x); }
GEMMA4_INLINE Floats load(const float* p) { return _mm256_loadu_ps(p); }
GEMMA4_INLINE void store(float* p, Floats a) { _mm256_storeu_ps(p, a); }
GEMMA4_INLINE Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
GEMMA4_INLINE Floats sub(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
GEMMA4_INLINE Floats mul(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
GEMMA4_INLINE Floats div(Floats a, Floats b) { return _mm256_div_ps(a, b); }
GEMMA4_INLINE Floats fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
GEMMA4_INLINE Floats max(Floats a, Floats b) { return _mm256_max_ps(a, b); }
GEMMA4_INLINE Floats min(Floats a, Floats b) { return _mm256_min_ps(a, b); }
GEMMA4_INLINE Floats to_floats(Ints a) { return _mm256_cvtepi32_ps(a); }
GEMMA4_INLINE Floats as_floats(Ints a) { return _mm256_castsi256_ps(a); }
GEMMA4_INLINE Ints as_ints(Floats a) { return _mm256_castps_si256(a); }

GEMMA4_INLINE Ints splat_int(int32_t x) { return _mm256_set1_epi32(x); }
GEMMA4_INLINE Ints round_to_ints(Floats a) { return _mm256_cvtps_epi32(a); }
GEMMA4_INLINE Ints add_ints(Ints a, Ints b) { return _mm256_add_epi32(a, b); }
GEMMA4_INLINE Ints max_ints(Ints a, Ints b) { return _mm256_max_epi32(a, b); }
template <int N>
GEMMA4_INLINE Ints shift_left(Ints a) { return _mm256_slli_epi32(a, N); }
template <int N>
GEMMA4_INLINE Ints shift_right(Ints a) { return _mm256_srli_epi32(a, N); }
template <int N>
GEMMA4_INLINE Ints shift_right_signed(Ints a) { return _mm256_srai_epi32(a, N); }
GEMMA4_INLINE Bytes bit_and(Bytes a, Bytes b) { return _mm256_and_si256(a, b); }
GEMMA4_INLINE Bytes bit_or(Bytes a, Bytes b) { return _mm256_or_si256(a, b); }
GEMMA4_INLINE Bytes bit_select(Bytes mask, Bytes a, Bytes b) {
  return _mm256_or_si256(_mm256_and_si256(mask, a), _mm256_andnot_si256(mask, b));
}
GEMMA4_INLINE Bytes join_halves(Bytes a, Bytes b) { return _mm256_blend_epi16(a, b, 0x55); }

GEMMA4_INLINE __m128i low_part(__m256i a) { return _mm256_castsi256_si128(a); }
GEMMA4_INLINE __m128i high_part(__m256i a) { return _mm256_extracti128_si256(a, 1); }

GEMMA4_INLINE float sum(Floats a) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
GEMMA4_INLINE float largest(Floats a) {
  __m128 m = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  m = _mm_max_ps(m, _mm_movehl_ps(m, m));
  return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}
GEMMA4_INLINE int32_t sum_ints(Ints a) {
  const __m128i fours = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  const __m128i twos = _mm_add_epi32(fours, _mm_unpackhi_epi64(fours, fours));
  return _mm_cvtsi128_si32(_mm_add_epi32(twos, _mm_shuffle_epi32(twos, 1)));
}
GEMMA4_INLINE int32_t largest_int(Ints a) {
  __m128i m = _mm_max_epi32(low_part(a), high_part(a));
  m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0x4E));
  return _mm_cvtsi128_si32(_mm_max_epi32(m, _mm_shuffle_epi32(m, 0xB1)));
}

GEMMA4_INLINE Floats keep_range(Floats a, int low, int high, float other) {
  const Ints lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const Ints below = _mm256_cmpgt_epi32(splat_int(low), lane), within = _mm256_cmpgt_epi32(splat_int(high), lane);
  return _mm256_blendv_ps(splat(other), a, as_floats(_mm256_andnot_si256(below, within)));
}
GEMMA4_INLINE Floats where_less(Floats a, Floats b, Floats yes, Floats no) {
  return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}

GEMMA4_INLINE __m128i load_16(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }

GEMMA4_INLINE Floats load_half(const uint16_t* p) { return _mm256_cvtph_ps(load_16(p)); }
GEMMA4_INLINE void store_half(uint16_t* p, Floats a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}
GEMMA4_INLINE Floats load_bfloat(const uint16_t* p) {
  return as_floats(_mm256_slli_epi32(_mm256_cvtepu16_epi32(load_16(p)), 16));
}
GEMMA4_INLINE Floats load_signed_bytes(const int8_t* p) {
  return to_floats(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}
GEMMA4_INLINE void store_signed_bytes(int8_t* p, Ints a) {
  const __m128i words = _mm_packs_epi32(low_part(a), high_part(a));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(words, words));
}

GEMMA4_INLINE Ints four_bytes(const int8_t* x) {
  int32_t four;
  __builtin_memcpy(&four, x, 4);
  return splat_int(four);
}

#if defined(__AVXVNNI__)

constexpr bool kSignedWeights = false;
GEMMA4_INLINE Bytes from_signed(Bytes w) { return _mm256_xor_si256(w, _mm256_set1_epi8(-128)); }
template <int Bits, int Count>
GEMMA4_INLINE Ints dot(Ints total, const Bytes* w, const int8_t* x) {
  for (int j = 0; j < Count; ++j) total = _mm256_dpbusd_avx_epi32(total, w[j], four_bytes(x + 4 * j));
  return total;
}

#else

constexpr bool kSignedWeights = true;
GEMMA4_INLINE Bytes from_signed(Bytes w) { return w; }

// Products of bytes, pairs of them added to 16 bits. The instruction wants its first operand unsigned: of 8-bit
// weights the sign goes over to x, |w · x| stays below 128 · 128.
template <int Bits>
GEMMA4_INLINE Ints pairs(Bytes w, Ints x) {
  if constexpr (Bits == 8) return _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
  else return _mm256_maddubs_epi16(w, x);
}

template <int Bits, int Count>
GEMMA4_INLINE Ints dot(Ints total, const Bytes* w, const int8_t* x) {
  // So many sums of two products, each up to 2 · 128 · (2^Bits − 1), fit 16 bits together.
  constexpr int kTogether = Bits == 8 ? 1 : 128 >> Bits;
  for (int j = 0; j < Count; j += kTogether) {
    Ints sums = pairs<Bits>(w[j], four_bytes(x + 4 * j));
    for (int i = j + 1; i < j + kTogether && i < Count; ++i) {
      sums = _mm256_add_epi16(sums, pairs<Bits>(w[i], four_bytes(x + 4 * i)));
    }
    total = add_ints(total, _mm256_madd_epi16(sums, _mm256_set1_epi16(1)));
  }
  return total;
}

#endif

GEMMA4_INLINE Floats dot2_bfloat(Floats total, Bytes w, int32_t x) {
  const Ints odd = splat_int(static_cast<int32_t>(0xFFFF0000)), pair = splat_int(x);
  total = fma(as_floats(bit_and(w, odd)), as_floats(bit_and(pair, odd)), total);
  return fma(as_floats(shift_left<16>(w)), as_floats(shift_left<16>(pair)), total);
}

template <int Index>
GEMMA4_INLINE Bytes repeat_byte(Bytes a) {
  constexpr int kOnes = 0x01010101 * Index;
  const __m128i pattern =
      _mm_setr_epi32(kOnes, kOnes + 0x04040404, kOnes + 0x08080808, kOnes + 0x0C0C0C0C);
  return _mm256_shuffle_epi8(a, _mm256_broadcastsi128_si256(pattern));
}
GEMMA4_INLINE Bytes where_bits(Bytes a, Bytes b, int8_t value) {
  const Bytes none = _mm256_cmpeq_epi8(bit_and(a, b), _mm256_setzero_si256());
  return _mm256_andnot_si256(none, _mm256_set1_epi8(value));
}

GEMMA4_INLINE void load_transposed(const uint8_t* p, int64_t stride, Bytes out[4]) {
  Bytes q[4];
  for (int i = 0; i < 4; ++i) q[i] = _mm256_set_m128i(load_16(p + (i + 4) * stride), load_16(p + i * stride));
  const Bytes low01 = _mm256_unpacklo_epi32(q[0], q[1]), high01 = _mm256_unpackhi_epi32(q[0], q[1]);
  const Bytes low23 = _mm256_unpacklo_epi32(q[2], q[3]), high23 = _mm256_unpackhi_epi32(q[2], q[3]);
  out[0] = _mm256_unpacklo_epi64(low01, low23);
  out[1] = _mm256_unpackhi_epi64(low01, low23);
  out[2] = _mm256_unpacklo_epi64(high01, high23);
  out[3] = _mm256_unpackhi_epi64(high01, high23);
}

GEMMA4_INLINE __m128i gather_16_bits(const uint8_t* p, int64_t stride) {
  const auto at = [&](int i) GEMMA4_INLINED {
    uint16_t bits;
    __builtin_memcpy(&bits, p + i * stride, 2);
    return static_cast<int16_t>(bits);
  };
  return _mm_setr_epi16(at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7));
}
GEMMA4_INLINE Floats gather_half(const uint8_t* p, int64_t stride) {
  return _mm256_cvtph_ps(gather_16_bits(p, stride));
}
GEMMA4_INLINE Floats gather_bfloat(const uint8_t* p, int64_t stride) {
  return as_floats(shift_left<16>(_mm256_cvtepu16_epi32(gather_16_bits(p, stride))));
}
GEMMA4_INLINE Bytes gather_word(const uint8_t* p, int64_t stride) {
  const auto at = [&](int i) GEMMA4_INLINED {
    int32_t word;
    __builtin_memcpy(&word, p + i * stride, 4);
    return word;
  };
  return _mm256_setr_epi32(at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7));
}

GEMMA4_INLINE Floats low_half(Bytes a) {
  const Bytes low = bit_and(a, splat_int(0xFFFF));
  return _mm256_cvtph_ps(_mm_packus_epi32(low_part(low), high_part(low)));
}

GEMMA4_INLINE void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1); }

}  // namespace gemma4::GEMMA4_SIMD
