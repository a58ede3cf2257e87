// Random weights of every format in guarded memory, and what they mean in plain numbers.
#pragma once

#include <cstring>
#include <vector>

#include "check/guarded.h"
#include "check/random.h"
#include "linear/matrix.h"
#include "rows/decode.h"

namespace gemma4::check {

struct FormatLayout {
  Format format;
  const char* name;
  int columns, bytes;  // of a block
  int halves[2];       // where the block holds float16 scales; −1: nowhere
};

constexpr FormatLayout kLayouts[] = {
    {Format::F32, "F32", 1, 4, {-1, -1}},         {Format::F16, "F16", 1, 2, {0, -1}},
    {Format::BF16, "BF16", 1, 2, {-1, -1}},       {Format::Q4_0, "Q4_0", 32, 18, {0, -1}},
    {Format::Q4_1, "Q4_1", 32, 20, {0, 2}},       {Format::Q5_0, "Q5_0", 32, 22, {0, -1}},
    {Format::Q5_1, "Q5_1", 32, 24, {0, 2}},       {Format::Q8_0, "Q8_0", 32, 34, {0, -1}},
    {Format::Q4_K, "Q4_K", 256, 144, {0, 2}},     {Format::Q5_K, "Q5_K", 256, 176, {0, 2}},
    {Format::Q6_K, "Q6_K", 256, 210, {208, -1}},  {Format::W4A16, "W4A16", 32, 16, {-1, -1}},
    {Format::F16_AS_BF16, "F16 as BF16", 1, 2, {0, -1}},
};

inline void put_16_bits(uint8_t* p, uint64_t bits) {
  const uint16_t value = static_cast<uint16_t>(bits);
  std::memcpy(p, &value, 2);
}
// Finite, of either sign, magnitudes from 2⁻¹² to 4; one of 16 below what float16 holds with full precision.
inline uint64_t random_half(Random& random) {
  const uint64_t bits = random.bits() & 0x83FF;
  return random.below(16) == 0 ? bits : bits | static_cast<uint64_t>(3 + random.below(14)) << 10;
}
inline uint64_t random_bfloat(Random& random) {
  const uint64_t bits = random.bits() & 0x807F;  // drawn first, whatever the compiler
  return bits | static_cast<uint64_t>(115 + random.below(14)) << 7;
}

struct Shape {
  int64_t rows, columns;
  int64_t group;  // columns that share a scale, of W4A16
  int64_t gap;    // bytes between rows
};

// A weight whose last byte is the last that may be read.
class Weight {
 public:
  Weight(const FormatLayout& layout, const Shape& shape, Random& random)
      : row_bytes_(shape.columns / layout.columns * layout.bytes),
        bytes_(shape.rows * (row_bytes_ + shape.gap) - shape.gap),
        scales_(shape.rows * (shape.columns / shape.group) * 2) {
    matrix = {bytes_.data(), shape.rows, shape.columns, row_bytes_ + shape.gap, layout.format, nullptr, 0};
    for (int64_t r = 0; r < shape.rows; ++r) {
      for (int64_t i = 0; i < row_bytes_; ++i) row(r)[i] = static_cast<uint8_t>(random.bits());
      for (int64_t at = 0; at < row_bytes_; at += layout.bytes) tame(layout, row(r) + at, random);
    }
    if (layout.format != Format::W4A16) return;
    matrix.scales = scales_.as<uint16_t>();
    matrix.group = shape.group;
    const int64_t num_scales = shape.rows * (shape.columns / shape.group);
    for (int64_t i = 0; i < num_scales; ++i) put_16_bits(scales_.data() + 2 * i, random_bfloat(random));
  }

  // Row r as numbers.
  std::vector<float> numbers(int64_t r) {
    std::vector<float> out(static_cast<size_t>(matrix.columns));
    if (matrix.format != Format::W4A16) {
      decode_row(matrix, r, 0, matrix.columns, out.data());
      return out;
    }
    for (int64_t c = 0; c < matrix.columns; ++c) {
      const int nibble = row(r)[c / 2] >> (c % 2 * 4) & 15;
      const uint32_t bits = matrix.scales[r * (matrix.columns / matrix.group) + c / matrix.group];
      const uint32_t wide = bits << 16;
      float scale;
      std::memcpy(&scale, &wide, 4);
      out[static_cast<size_t>(c)] = scale * static_cast<float>(nibble - 8);
    }
    return out;
  }

  Matrix matrix;

 private:
  uint8_t* row(int64_t r) { return bytes_.data() + r * matrix.row_bytes; }

  // Scales and plain numbers that are finite.
  static void tame(const FormatLayout& layout, uint8_t* block, Random& random) {
    for (const int at : layout.halves) {
      if (at >= 0) put_16_bits(block + at, random_half(random));
    }
    if (layout.format == Format::BF16) put_16_bits(block, random_bfloat(random));
    if (layout.format == Format::F32) {
      const float number = random.between(-2, 2);
      std::memcpy(block, &number, 4);
    }
  }

  int64_t row_bytes_;
  Guarded bytes_, scales_;
};

}  // namespace gemma4::check
