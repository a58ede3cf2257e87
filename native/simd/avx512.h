// Lanes of AVX-512 with VNNI, with BF16 where the compiler has it: 16 numbers at a time. simd/portable.h says what
// each function does.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "inline.h"

namespace gemma4::GEMMA4_SIMD {

#if defined(__AVX512BF16__)
constexpr const char* kName = "avx512-vnni";
#else
constexpr const char* kName = "avx512-vnni-fp32";
#endif
constexpr int kLanes = 16;
constexpr int kDotStep = 2;

using Floats = __m512;
using Ints = __m512i;
using Bytes = __m512i;

GEMMA4_INLINE Floats zero() { return _mm512_setzero_ps(); }
GEMMA4_INLINE Floats splat(float x) { return _mm512_set1_ps(x); }
GEMMA4_INLINE Floats load(const float* p) { return _mm512_loadu_ps(p); }
GEMMA4_INLINE void store(float* p, Floats a) { _mm512_storeu_ps(p, a); }
GEMMA4_INLINE Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
GEMMA4_INLINE Floats sub(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
GEMMA4_INLINE Floats mul(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
GEMMA4_INLINE Floats div(Floats a, Floats b) { return _mm512_div_ps(a, b); }
GEMMA4_INLINE Floats fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
GEMMA4_INLINE Floats max(Floats a, Floats b) { return _mm512_max_ps(a, b); }
GEMMA4_INLINE Floats min(Floats a, Floats b) { return _mm512_min_ps(a, b); }
GEMMA4_INLINE Floats to_floats(Ints a) { return _mm512_cvtepi32_ps(a); }
GEMMA4_INLINE Floats as_floats(Ints a) { return _mm512_castsi512_ps(a); }
GEMMA4_INLINE Ints as_ints(Floats a) { return _mm512_castps_si512(a); }

GEMMA4_INLINE Ints splat_int(int32_t x) { return _mm512_set1_epi32(x); }
GEMMA4_INLINE Ints round_to_ints(Floats a) { return _mm512_cvtps_epi32(a); }
GEMMA4_INLINE Ints add_ints(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
GEMMA4_INLINE Ints max_ints(Ints a, Ints b) { return _mm512_max_epi32(a, b); }
template <int N>
GEMMA4_INLINE Ints shift_left(Ints a) { return _mm512_slli_epi32(a, N); }
template <int N>
GEMMA4_INLINE Ints shift_right(Ints a) { return _mm512_srli_epi32(a, N); }
template <int N>
GEMMA4_INLINE Ints shift_right_signed(Ints a) { return _mm512_srai_epi32(a, N); }
GEMMA4_INLINE Bytes bit_and(Bytes a, Bytes b) { return _mm512_and_si512(a, b); }
GEMMA4_INLINE Bytes bit_or(Bytes a, Bytes b) { return _mm512_or_si512(a, b); }
GEMMA4_INLINE Bytes bit_select(Bytes mask, Bytes a, Bytes b) { return _mm512_ternarylogic_epi32(mask, a, b, 0xCA); }
GEMMA4_INLINE Bytes join_halves(Bytes a, Bytes b) {
  return _mm512_ternarylogic_epi32(a, b, splat_int(0xFFFF), 0xD8);
}

GEMMA4_INLINE float sum(Floats a) { return _mm512_reduce_add_ps(a); }
GEMMA4_INLINE float largest(Floats a) { return _mm512_reduce_max_ps(a); }
GEMMA4_INLINE int32_t sum_ints(Ints a) { return _mm512_reduce_add_epi32(a); }
GEMMA4_INLINE int32_t largest_int(Ints a) { return _mm512_reduce_max_epi32(a); }

GEMMA4_INLINE Floats keep_range(Floats a, int low, int high, float other) {
  const Ints lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __mmask16 inside = _mm512_cmpge_epi32_mask(lane, splat_int(low)) &
                           _mm512_cmplt_epi32_mask(lane, splat_int(high));
  return _mm512_mask_blend_ps(inside, splat(other), a);
}

GEMMA4_INLINE Floats where_less(Floats a, Floats b, Floats yes, Floats no) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), no, yes);
}

GEMMA4_INLINE Floats load_half(const uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
GEMMA4_INLINE void store_half(uint16_t* p, Floats a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
GEMMA4_INLINE Floats load_bfloat(const uint16_t* p) {
  const __m256i raw = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return as_floats(_mm512_slli_epi32(_mm512_cvtepu16_epi32(raw), 16));
}
GEMMA4_INLINE Floats load_signed_bytes(const int8_t* p) {
  return to_floats(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
GEMMA4_INLINE void store_signed_bytes(int8_t* p, Ints a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtsepi32_epi8(a));
}

constexpr bool kSignedWeights = false;  // 8-bit weights are taken unsigned, with 128 added
GEMMA4_INLINE Bytes from_signed(Bytes w) { return _mm512_xor_si512(w, _mm512_set1_epi8(-128)); }
template <int Bits, int Count>
GEMMA4_INLINE Ints dot(Ints total, const Bytes* w, const int8_t* x) {
  for (int j = 0; j < Count; ++j) {
    // The broadcast is part of the instruction, which compilers do not see by themselves.
    __asm__("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(total) : "v"(w[j]), "m"(*reinterpret_cast<const int32_t(*)[1]>(x + 4 * j)));
  }
  return total;
}

#if defined(__AVX512BF16__)
// The instruction takes numbers below 2⁻¹²⁶ for zero, unlike the other instruction sets.
GEMMA4_INLINE Floats dot2_bfloat(Floats total, Bytes w, int32_t x) {
  return _mm512_dpbf16_ps(total, reinterpret_cast<__m512bh>(w), reinterpret_cast<__m512bh>(splat_int(x)));
}
#else
GEMMA4_INLINE Floats dot2_bfloat(Floats total, Bytes w, int32_t x) {
  const Ints odd = splat_int(static_cast<int32_t>(0xFFFF0000)), pair = splat_int(x);
  total = fma(as_floats(bit_and(w, odd)), as_floats(bit_and(pair, odd)), total);
  return fma(as_floats(shift_left<16>(w)), as_floats(shift_left<16>(pair)), total);
}
#endif

template <int Index>
GEMMA4_INLINE Bytes repeat_byte(Bytes a) {
  const __m512i pattern = _mm512_set_epi32(
      0x0C0C0C0C + Index * 0x01010101, 0x08080808 + Index * 0x01010101,
      0x04040404 + Index * 0x01010101, Index * 0x01010101, 0x0C0C0C0C + Index * 0x01010101,
      0x08080808 + Index * 0x01010101, 0x04040404 + Index * 0x01010101, Index * 0x01010101,
      0x0C0C0C0C + Index * 0x01010101, 0x08080808 + Index * 0x01010101,
      0x04040404 + Index * 0x01010101, Index * 0x01010101, 0x0C0C0C0C + Index * 0x01010101,
      0x08080808 + Index * 0x01010101, 0x04040404 + Index * 0x01010101, Index * 0x01010101);
  return _mm512_shuffle_epi8(a, pattern);
}
GEMMA4_INLINE Bytes where_bits(Bytes a, Bytes b, int8_t value) {
  return _mm512_maskz_mov_epi8(_mm512_test_epi8_mask(a, b), _mm512_set1_epi8(value));
}

// Masked broadcasts from memory leave the shuffling units to the transposition.
GEMMA4_INLINE void load_transposed(const uint8_t* p, int64_t stride, Bytes out[4]) {
  const auto row = [&](int i) GEMMA4_INLINED {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + i * stride));
  };
  Bytes q[4];
  for (int i = 0; i < 4; ++i) {
    q[i] = _mm512_castsi128_si512(row(i));
    q[i] = _mm512_mask_broadcast_i32x4(q[i], 0x00F0, row(i + 4));
    q[i] = _mm512_mask_broadcast_i32x4(q[i], 0x0F00, row(i + 8));
    q[i] = _mm512_mask_broadcast_i32x4(q[i], 0xF000, row(i + 12));
  }
  const __m512i low01 = _mm512_unpacklo_epi32(q[0], q[1]), high01 = _mm512_unpackhi_epi32(q[0], q[1]);
  const __m512i low23 = _mm512_unpacklo_epi32(q[2], q[3]), high23 = _mm512_unpackhi_epi32(q[2], q[3]);
  out[0] = _mm512_unpacklo_epi64(low01, low23);
  out[1] = _mm512_unpackhi_epi64(low01, low23);
  out[2] = _mm512_unpacklo_epi64(high01, high23);
  out[3] = _mm512_unpackhi_epi64(high01, high23);
}

GEMMA4_INLINE Floats gather_half(const uint8_t* p, int64_t stride) {
  const auto at = [&](int i) GEMMA4_INLINED {
    uint16_t h;
    __builtin_memcpy(&h, p + i * stride, 2);
    return static_cast<short>(h);
  };
  __m128i low = _mm_setzero_si128(), high = _mm_setzero_si128();
#define GEMMA4_PUT(i) \
  low = _mm_insert_epi16(low, at(i), i); \
  high = _mm_insert_epi16(high, at(i + 8), i);
  GEMMA4_PUT(0) GEMMA4_PUT(1) GEMMA4_PUT(2) GEMMA4_PUT(3)
  GEMMA4_PUT(4) GEMMA4_PUT(5) GEMMA4_PUT(6) GEMMA4_PUT(7)
#undef GEMMA4_PUT
  return _mm512_cvtph_ps(_mm256_set_m128i(high, low));
}

GEMMA4_INLINE Floats gather_bfloat(const uint8_t* p, int64_t stride) {
  alignas(64) uint32_t words[16];
  for (int i = 0; i < 16; ++i) {
    uint16_t h;
    __builtin_memcpy(&h, p + i * stride, 2);
    words[i] = static_cast<uint32_t>(h) << 16;
  }
  return _mm512_castsi512_ps(_mm512_load_si512(words));
}

GEMMA4_INLINE Bytes gather_word(const uint8_t* p, int64_t stride) {
  alignas(64) int32_t words[16];
  for (int i = 0; i < 16; ++i) __builtin_memcpy(&words[i], p + i * stride, 4);
  return _mm512_load_si512(words);
}

GEMMA4_INLINE Floats low_half(Bytes a) { return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(a)); }

GEMMA4_INLINE void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

}  // namespace gemma4::GEMMA4_SIMD
