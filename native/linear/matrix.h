// What a linear works on: a weight as it lies in its file, and activations packed for it.
#pragma once

#include <cstdint>

namespace gemma4 {

// Names as in quant/formats.py; W4A16 are int32 words of eight nibbles with scales of their own; F16_AS_BF16 lies in
// memory as F16 and is rounded to BF16 as it is read, to nearest, ties away from zero.
enum class Format : int32_t { F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K, W4A16, F16_AS_BF16 };

// y = x · Wᵀ with W [rows, columns]. Owns nothing.
struct Matrix {
  const uint8_t* data;
  int64_t rows;
  int64_t columns;
  int64_t row_bytes;        // from a row's first byte to the next row's
  Format format;
  const uint16_t* scales;   // W4A16: bfloat16 [rows, columns / group]; null for formats with scales inside
  int64_t group;            // W4A16: columns that share a scale
};

// 32 activations of one token, rounded to 8 bits: x ≈ scale · values.
struct ActivationBlock {
  int8_t values[32];
  float scale;
  int32_t minus_sums[2];  // of values 0–15 and 16–31, negated: what takes a weight's offset back
  int32_t minus_sum;      // of all 32
};
static_assert(sizeof(ActivationBlock) == 48);

// How activations are packed for a format. Tokens lie in panels of up to kPanel: [columns / unit][tokens of the
// panel], so that one pointer walks through a panel.
enum class Packing : int32_t {
  kBlocks,         // ActivationBlock of 32 columns
  kBlocksPaired,   // the same; of the whole eights of blocks every first of two is turned by two columns (Q4_0)
  kBlocksEvenOdd,  // the same, of every eight values the even ones first: the order of W4A16 nibbles
  kBfloatPairs,    // two bfloat16; an odd column at the end is paired with zero
  kFloats,         // one float32; the same
};
constexpr int kPanel = 8;

constexpr int64_t whole_pairs(int64_t columns) { return columns + columns % 2; }

constexpr Packing packing_for(Format format) {
  switch (format) {
    case Format::F32:
    case Format::F16: return Packing::kFloats;
    case Format::BF16:
    case Format::F16_AS_BF16: return Packing::kBfloatPairs;
    case Format::W4A16: return Packing::kBlocksEvenOdd;
    case Format::Q4_0: return Packing::kBlocksPaired;
    default: return Packing::kBlocks;
  }
}

// Bytes that a token of so many columns takes.
constexpr int64_t packed_bytes(Packing packing, int64_t columns) {
  switch (packing) {
    case Packing::kBfloatPairs: return whole_pairs(columns) * 2;
    case Packing::kFloats: return whole_pairs(columns) * 4;
    default: return columns / 32 * static_cast<int64_t>(sizeof(ActivationBlock));
  }
}

// Where token t of `count` begins, in units of the packing, and how far its next unit is.
struct PanelPlace {
  int64_t start, step;
  PanelPlace(int64_t t, int64_t count, int64_t units) {
    const int64_t first = t / kPanel * kPanel;
    step = count - first < kPanel ? count - first : kPanel;
    start = first * units + (t - first);
  }
};

}  // namespace gemma4
