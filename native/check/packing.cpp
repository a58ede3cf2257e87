#include <algorithm>
#include <cmath>
#include <cstring>

#include "check/checks.h"
#include "check/guarded.h"
#include "check/random.h"

namespace gemma4::check {

namespace {

constexpr struct {
  Packing packing;
  const char* name;
} kPackings[] = {{Packing::kBlocks, "blocks"},
                 {Packing::kBlocksPaired, "paired blocks"},
                 {Packing::kBlocksEvenOdd, "blocks, even ones first"},
                 {Packing::kBfloatPairs, "pairs of bfloat16"},
                 {Packing::kFloats, "floats"}};

// In pieces, as steps do it.
void pack(const Kernels& kernels, Packing packing, const float* x, int64_t columns, int count, void* out) {
  constexpr int64_t kPiece = 96;
  for (int t = 0; t < count; ++t) {
    for (int64_t from = 0; from < columns; from += kPiece) {
      const int64_t to = std::min(columns, from + kPiece);
      kernels.pack(x + t * columns + from, from, to, columns, packing, t, count, out);
    }
  }
}

// Every block of 32: scale = peak / 127, values the nearest whole numbers, sums that fit them.
bool blocks_are_right(const ActivationBlock* blocks, const float* x, int64_t columns) {
  bool right = true;
  for (int64_t i = 0; i < columns / 32; ++i) {
    float peak = 0;
    for (int c = 0; c < 32; ++c) peak = std::fmax(peak, std::fabs(x[32 * i + c]));
    const ActivationBlock& block = blocks[i];
    right = right && block.scale == peak / 127.0f;
    int sums[2] = {0, 0};
    for (int c = 0; c < 32; ++c) {
      const double ratio = static_cast<double>(x[32 * i + c]) / static_cast<double>(peak);
      const double exact = peak > 1e-30f ? 127 * ratio : 0;
      right = right && std::fabs(exact - block.values[c]) <= 0.5 + 1e-4;
      sums[c / 16] -= block.values[c];
    }
    right = right && block.minus_sums[0] == sums[0] && block.minus_sums[1] == sums[1];
    right = right && block.minus_sum == sums[0] + sums[1];
  }
  return right;
}

}  // namespace

void check_packing(const std::vector<const Kernels*>& all, Report& report) {
  constexpr int64_t kColumns = 352;
  constexpr int kTokens = 13;
  Random random(77);
  std::vector<float> x(kTokens * kColumns);
  for (auto& number : x) number = random.between(-1, 1) * std::exp2(static_cast<float>(random.below(40) - 20));
  for (int c = 0; c < 32; ++c) x[static_cast<size_t>(c)] = 0.0f;
  for (int c = 32; c < 64; ++c) x[static_cast<size_t>(c)] *= 1e-36f;  // partly below float32's normal numbers
  for (int c = 65; c < 96; ++c) x[static_cast<size_t>(c)] = static_cast<float>(c - 80) + 0.5f;
  x[64] = 127.0f;  // makes the scale 1: the others are ties, to be rounded to even
  for (const Kernels* kernels : all) {
    Guarded blocks(packed_bytes(Packing::kBlocks, kColumns));
    bool right = true;
    for (int t = 0; t < kTokens; ++t) {
      pack(*kernels, Packing::kBlocks, x.data() + t * kColumns, kColumns, 1, blocks.data());
      right = right && blocks_are_right(blocks.as<ActivationBlock>(), x.data() + t * kColumns, kColumns);
    }
    report.line(right, "%s packing: blocks of 8 bits hold the nearest whole numbers", kernels->name);
    bool same = true;
    const char* differs = "";
    for (const auto& [packing, name] : kPackings) {
      const int64_t bytes = packed_bytes(packing, kColumns) * kTokens;
      Guarded ours(bytes), expected(bytes);
      pack(*kernels, packing, x.data(), kColumns, kTokens, ours.data());
      pack(*portable_kernels(), packing, x.data(), kColumns, kTokens, expected.data());
      if (std::memcmp(ours.data(), expected.data(), static_cast<size_t>(bytes)) != 0) {
        same = false;
        differs = name;
      }
    }
    report.line(same, "%s packing: five packings of %d tokens %s%s", kernels->name, kTokens,
                same ? "with the portable bits" : "differ from the portable ones: ", differs);
  }
}

}  // namespace gemma4::check
