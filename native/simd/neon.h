// Lanes of ARM NEON, with the dot product where the compiler has it: 4 numbers at a time. simd/portable.h says
// what each function does.
#pragma once

#include <arm_neon.h>

#include <cstdint>

#include "inline.h"

namespace gemma4::GEMMA4_SIMD {

#if defined(__ARM_FEATURE_DOTPROD)
constexpr const char* kName = "neon";
#else
constexpr const char* kName = "neon-2011";
#endif
constexpr int kLanes = 4;
constexpr int kDotStep = 4;

using Floats = float32x4_t;
using Ints = int32x4_t;
using Bytes = int32x4_t;

GEMMA4_INLINE Floats zero() { return vdupq_n_f32(0); }
GEMMA4_INLINE Floats splat(float x) { return vdupq_n_f32(x); }
GEMMA4_INLINE Floats load(const float* p) { return vld1q_f32(p); }
GEMMA4_INLINE void store(float* p, Floats a) { vst1q_f32(p, a); }
GEMMA4_INLINE Floats add(Floats a, Floats b) { return vaddq_f32(a, b); }
GEMMA4_INLINE Floats sub(Floats a, Floats b) { return vsubq_f32(a, b); }
GEMMA4_INLINE Floats mul(Floats a, Floats b) { return vmulq_f32(a, b); }
GEMMA4_INLINE Floats div(Floats a, Floats b) { return vdivq_f32(a, b); }
GEMMA4_INLINE Floats fma(Floats a, Floats b, Floats c) { return vfmaq_f32(c, a, b); }
GEMMA4_INLINE Floats max(Floats a, Floats b) { return vmaxq_f32(a, b); }
GEMMA4_INLINE Floats min(Floats a, Floats b) { return vminq_f32(a, b); }
GEMMA4_INLINE Floats to_floats(Ints a) { return vcvtq_f32_s32(a); }
GEMMA4_INLINE Floats as_floats(Ints a) { return vreinterpretq_f32_s32(a); }
GEMMA4_INLINE Ints as_ints(Floats a) { return vreinterpretq_s32_f32(a); }

GEMMA4_INLINE Ints splat_int(int32_t x) { return vdupq_n_s32(x); }
GEMMA4_INLINE Ints round_to_ints(Floats a) { return vcvtnq_s32_f32(a); }
GEMMA4_INLINE Ints add_ints(Ints a, Ints b) { return vaddq_s32(a, b); }
GEMMA4_INLINE Ints max_ints(Ints a, Ints b) { return vmaxq_s32(a, b); }
template <int N>
GEMMA4_INLINE Ints shift_left(Ints a) { return vshlq_n_s32(a, N); }
template <int N>
GEMMA4_INLINE Ints shift_right(Ints a) {
  if constexpr (N == 0) return a;
  else return vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(a), N));
}
template <int N>
GEMMA4_INLINE Ints shift_right_signed(Ints a) { return vshrq_n_s32(a, N); }
GEMMA4_INLINE Bytes bit_and(Bytes a, Bytes b) { return vandq_s32(a, b); }
GEMMA4_INLINE Bytes bit_or(Bytes a, Bytes b) { return vorrq_s32(a, b); }
GEMMA4_INLINE Bytes bit_select(Bytes mask, Bytes a, Bytes b) { return vbslq_s32(vreinterpretq_u32_s32(mask), a, b); }
GEMMA4_INLINE Bytes join_halves(Bytes a, Bytes b) {
  return vbslq_s32(vdupq_n_u32(0xFFFF), b, a);
}

GEMMA4_INLINE float sum(Floats a) { return vaddvq_f32(a); }
GEMMA4_INLINE float largest(Floats a) { return vmaxvq_f32(a); }
GEMMA4_INLINE int32_t sum_ints(Ints a) { return vaddvq_s32(a); }
GEMMA4_INLINE int32_t largest_int(Ints a) { return vmaxvq_s32(a); }

GEMMA4_INLINE Floats keep_range(Floats a, int low, int high, float other) {
  constexpr int32_t kIndex[kLanes] = {0, 1, 2, 3};
  const Ints lane = vld1q_s32(kIndex);
  const uint32x4_t inside = vandq_u32(vcgeq_s32(lane, splat_int(low)), vcltq_s32(lane, splat_int(high)));
  return vbslq_f32(inside, a, splat(other));
}
GEMMA4_INLINE Floats where_less(Floats a, Floats b, Floats yes, Floats no) {
  return vbslq_f32(vcltq_f32(a, b), yes, no);
}

GEMMA4_INLINE Floats load_half(const uint16_t* p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
GEMMA4_INLINE void store_half(uint16_t* p, Floats a) { vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(a))); }
GEMMA4_INLINE Floats load_bfloat(const uint16_t* p) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16)); }
GEMMA4_INLINE Floats load_signed_bytes(const int8_t* p) {
  int32_t four;
  __builtin_memcpy(&four, p, 4);
  return to_floats(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(four))))));
}
GEMMA4_INLINE void store_signed_bytes(int8_t* p, Ints a) {
  const int16x4_t words = vqmovn_s32(a);
  const int32_t four = vget_lane_s32(vreinterpret_s32_s8(vqmovn_s16(vcombine_s16(words, words))), 0);
  __builtin_memcpy(p, &four, 4);
}

constexpr bool kSignedWeights = true;
GEMMA4_INLINE Bytes from_signed(Bytes w) { return w; }

// Lane `Lane` of the 16 bytes x times the bytes of w, four products a lane.
template <int Lane>
GEMMA4_INLINE Ints add_products(Ints total, Bytes w, int8x16_t x) {
  const int8x16_t bytes = vreinterpretq_s8_s32(w);
#if defined(__ARM_FEATURE_DOTPROD)
  return vdotq_laneq_s32(total, bytes, x, Lane);
#else
  const int8x16_t four = vreinterpretq_s8_s32(vdupq_laneq_s32(vreinterpretq_s32_s8(x), Lane));
  const int16x8_t low = vmull_s8(vget_low_s8(bytes), vget_low_s8(four)), high = vmull_high_s8(bytes, four);
  return vpadalq_s16(total, vpaddq_s16(low, high));
#endif
}

template <int Bits, int Count>
GEMMA4_INLINE Ints dot(Ints total, const Bytes* w, const int8_t* x) {
  for (int j = 0; j < Count; j += 4) {
    const int8x16_t columns = vld1q_s8(x + 4 * j);
    total = add_products<0>(total, w[j], columns);
    total = add_products<1>(total, w[j + 1], columns);
    total = add_products<2>(total, w[j + 2], columns);
    total = add_products<3>(total, w[j + 3], columns);
  }
  return total;
}

GEMMA4_INLINE Floats dot2_bfloat(Floats total, Bytes w, int32_t x) {
  const Ints odd = splat_int(static_cast<int32_t>(0xFFFF0000)), pair = splat_int(x);
  total = fma(as_floats(bit_and(w, odd)), as_floats(bit_and(pair, odd)), total);
  return fma(as_floats(shift_left<16>(w)), as_floats(shift_left<16>(pair)), total);
}

template <int Index>
GEMMA4_INLINE Bytes repeat_byte(Bytes a) {
  constexpr uint32_t kOnes = 0x01010101 * Index;
  constexpr uint32_t kPattern[kLanes] = {kOnes, kOnes + 0x04040404, kOnes + 0x08080808, kOnes + 0x0C0C0C0C};
  return vreinterpretq_s32_u8(vqtbl1q_u8(vreinterpretq_u8_s32(a), vreinterpretq_u8_u32(vld1q_u32(kPattern))));
}
GEMMA4_INLINE Bytes where_bits(Bytes a, Bytes b, int8_t value) {
  const uint8x16_t any = vtstq_u8(vreinterpretq_u8_s32(a), vreinterpretq_u8_s32(b));
  return vreinterpretq_s32_u8(vandq_u8(any, vdupq_n_u8(static_cast<uint8_t>(value))));
}

GEMMA4_INLINE void load_transposed(const uint8_t* p, int64_t stride, Bytes out[4]) {
  const auto row = [&](int i) GEMMA4_INLINED { return vreinterpretq_s32_u8(vld1q_u8(p + i * stride)); };
  const auto wide = [](Ints a) GEMMA4_INLINED { return vreinterpretq_s64_s32(a); };
  const Ints a = row(0), b = row(1), c = row(2), d = row(3);
  const int64x2_t even01 = wide(vtrn1q_s32(a, b)), odd01 = wide(vtrn2q_s32(a, b));
  const int64x2_t even23 = wide(vtrn1q_s32(c, d)), odd23 = wide(vtrn2q_s32(c, d));
  out[0] = vreinterpretq_s32_s64(vtrn1q_s64(even01, even23));
  out[1] = vreinterpretq_s32_s64(vtrn1q_s64(odd01, odd23));
  out[2] = vreinterpretq_s32_s64(vtrn2q_s64(even01, even23));
  out[3] = vreinterpretq_s32_s64(vtrn2q_s64(odd01, odd23));
}

GEMMA4_INLINE uint16x4_t gather_16_bits(const uint8_t* p, int64_t stride) {
  uint16_t bits[kLanes];
  for (int i = 0; i < kLanes; ++i) __builtin_memcpy(&bits[i], p + i * stride, 2);
  return vld1_u16(bits);
}
GEMMA4_INLINE Floats gather_half(const uint8_t* p, int64_t stride) {
  return vcvt_f32_f16(vreinterpret_f16_u16(gather_16_bits(p, stride)));
}
GEMMA4_INLINE Floats gather_bfloat(const uint8_t* p, int64_t stride) {
  return vreinterpretq_f32_u32(vshll_n_u16(gather_16_bits(p, stride), 16));
}
GEMMA4_INLINE Bytes gather_word(const uint8_t* p, int64_t stride) {
  int32_t words[kLanes];
  for (int i = 0; i < kLanes; ++i) __builtin_memcpy(&words[i], p + i * stride, 4);
  return vld1q_s32(words);
}

GEMMA4_INLINE Floats low_half(Bytes a) { return vcvt_f32_f16(vreinterpret_f16_s16(vmovn_s32(a))); }

GEMMA4_INLINE void prefetch(const void* p) { __builtin_prefetch(p, 0, 2); }

}  // namespace gemma4::GEMMA4_SIMD
