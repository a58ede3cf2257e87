#include "rows/decode.h"

#include <cmath>
#include <cstring>

namespace gemma4 {

namespace {

float from_bfloat(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float x;
  std::memcpy(&x, &wide, 4);
  return x;
}

float from_half(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16, exponent = bits >> 10 & 31, fraction = bits & 1023;
  uint32_t wide;
  if (exponent == 31) {
    wide = sign | 0x7F800000 | fraction << 13;
  } else if (exponent != 0) {
    wide = sign | (exponent + 112) << 23 | fraction << 13;
  } else {  // zero or subnormal: fraction · 2⁻²⁴
    const float x = static_cast<float>(fraction) * 5.9604644775390625e-8f;
    std::memcpy(&wide, &x, 4);
    wide |= sign;
  }
  float x;
  std::memcpy(&x, &wide, 4);
  return x;
}

float half_at(const uint8_t* p) {
  uint16_t bits;
  std::memcpy(&bits, p, 2);
  return from_half(bits);
}

int nibble(const uint8_t* p, int i) { return i < 16 ? p[i] & 15 : p[i - 16] >> 4; }
int bit(const uint8_t* p, int i) { return p[i / 8] >> (i % 8) & 1; }

void six_bits(const uint8_t* p, int group, int* scale, int* minimum) {
  if (group < 4) {
    *scale = p[group] & 63;
    *minimum = p[group + 4] & 63;
  } else {
    *scale = (p[group + 4] & 15) | (p[group - 4] >> 6) << 4;
    *minimum = (p[group + 4] >> 4) | (p[group] >> 6) << 4;
  }
}

void decode_k(const uint8_t* p, bool five, float* out) {
  const uint8_t* fifth = p + 16;
  const uint8_t* low = five ? p + 48 : p + 16;
  for (int group = 0; group < 8; ++group) {
    int scale, minimum;
    six_bits(p + 4, group, &scale, &minimum);
    const float d = half_at(p) * static_cast<float>(scale), m = half_at(p + 2) * static_cast<float>(minimum);
    for (int i = 0; i < 32; ++i) {
      const int byte = low[group / 2 * 32 + i];
      int q = group % 2 ? byte >> 4 : byte & 15;
      if (five) q |= (fifth[i] >> group & 1) << 4;
      out[group * 32 + i] = static_cast<float>(q) * d - m;
    }
  }
}

void decode_q6_k(const uint8_t* p, float* out) {
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128, inside = i % 128, run = inside / 32, column = inside % 32;
    const int byte = p[64 * half + 32 * (run % 2) + column];
    const int low = run < 2 ? byte & 15 : byte >> 4;
    const int high = p[128 + 32 * half + column] >> (2 * run) & 3;
    const float scale = half_at(p + 208) * static_cast<float>(static_cast<int8_t>(p[192 + i / 16]));
    out[i] = static_cast<float>((low | high << 4) - 32) * scale;
  }
}

void decode_block(Format format, const uint8_t* p, float* out) {
  const float d = format == Format::Q4_K || format == Format::Q5_K || format == Format::Q6_K ? 0.0f : half_at(p);
  switch (format) {
    case Format::Q4_0:
      for (int i = 0; i < 32; ++i) out[i] = static_cast<float>(nibble(p + 2, i) - 8) * d;
      return;
    case Format::Q4_1:
      for (int i = 0; i < 32; ++i) out[i] = static_cast<float>(nibble(p + 4, i)) * d + half_at(p + 2);
      return;
    case Format::Q5_0:
      for (int i = 0; i < 32; ++i) out[i] = static_cast<float>((nibble(p + 6, i) | bit(p + 2, i) << 4) - 16) * d;
      return;
    case Format::Q5_1:
      for (int i = 0; i < 32; ++i) {
        out[i] = static_cast<float>(nibble(p + 8, i) | bit(p + 4, i) << 4) * d + half_at(p + 2);
      }
      return;
    case Format::Q8_0:
      for (int i = 0; i < 32; ++i) out[i] = static_cast<float>(static_cast<int8_t>(p[2 + i])) * d;
      return;
    case Format::Q4_K: return decode_k(p, false, out);
    case Format::Q5_K: return decode_k(p, true, out);
    case Format::Q6_K: return decode_q6_k(p, out);
    default: return;
  }
}

// To nearest, ties away from zero.
float rounded_to_bfloat(float x) {
  if (!std::isfinite(x)) return x;
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  bits = (bits + 0x8000) & 0xFFFF0000;
  std::memcpy(&x, &bits, 4);
  return x;
}

int64_t block_bytes(Format format) {
  switch (format) {
    case Format::Q4_0: return 18;
    case Format::Q4_1: return 20;
    case Format::Q5_0: return 22;
    case Format::Q5_1: return 24;
    case Format::Q8_0: return 34;
    case Format::Q4_K: return 144;
    case Format::Q5_K: return 176;
    case Format::Q6_K: return 210;
    case Format::F32: return 4;
    default: return 2;
  }
}

}  // namespace

int64_t block_columns(Format format) {
  switch (format) {
    case Format::F32:
    case Format::F16:
    case Format::F16_AS_BF16:
    case Format::BF16: return 1;
    case Format::Q4_K:
    case Format::Q5_K:
    case Format::Q6_K: return 256;
    default: return 32;
  }
}

void decode_row(const Matrix& table, int64_t row, int64_t from, int64_t count, float* out) {
  const int64_t columns = block_columns(table.format), bytes = block_bytes(table.format);
  const uint8_t* p = table.data + row * table.row_bytes + from / columns * bytes;
  if (table.format == Format::F32) {
    std::memcpy(out, p, static_cast<size_t>(count) * 4);
  } else if (columns == 1) {
    for (int64_t i = 0; i < count; ++i) {
      uint16_t bits;
      std::memcpy(&bits, p + 2 * i, 2);
      out[i] = table.format == Format::BF16 ? from_bfloat(bits) : from_half(bits);
      if (table.format == Format::F16_AS_BF16) out[i] = rounded_to_bfloat(out[i]);
    }
  } else {
    for (int64_t i = 0; i < count; i += columns, p += bytes) decode_block(table.format, p, out + i);
  }
}

}  // namespace gemma4
