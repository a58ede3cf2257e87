#include <algorithm>
#include <cmath>
#include <string>

#include "check/checks.h"
#include "check/weights.h"

namespace gemma4::check {

namespace {

constexpr int kTokens = 17;
constexpr int kCounts[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, kTokens};
constexpr float kUntouched = 12345.0f;
constexpr uint64_t kEveryMachinesBits = 0x7BF5309D36080C9C;  // the hash of all portable products: changes with the arithmetic only

std::vector<Shape> shapes(int block_columns) {
  if (block_columns == 256) return {{16, 256, 256, 0}, {37, 768, 256, 0}, {19, 512, 256, 7}};
  if (block_columns == 32) return {{16, 32, 32, 0}, {37, 160, 32, 0}, {19, 256, 128, 5}, {33, 608, 32, 0}};
  return {{16, 8, 1, 0}, {37, 31, 1, 0}, {19, 5, 1, 0}, {16, 1, 1, 0}, {33, 66, 1, 3}, {18, 200, 1, 0}};
}

// Tokens by columns: most at random, one of zeros, one so small that its inverse overflows, one large.
std::vector<float> random_tokens(int64_t columns, Random& random) {
  std::vector<float> x(static_cast<size_t>(kTokens * columns));
  for (size_t i = 0; i < x.size(); ++i) {
    const int64_t token = static_cast<int64_t>(i) / columns;
    const float size = token == 3 ? 0.0f : token == 5 ? 1e-41f : token == 7 ? 1e15f : 1.0f;
    x[i] = random.between(-1, 1) * size;
  }
  return x;
}

// The product of the first `count` tokens, [count][rows], computed as many tiles at a time as a step does.
std::vector<float> product(const Kernels& kernels, const Matrix& m, const float* x, int count, bool& inside) {
  const Packing packing = packing_for(m.format);
  Guarded packed(packed_bytes(packing, m.columns) * count), scratch(kernels.scratch_bytes(m.columns, m.format));
  for (int t = 0; t < count; ++t) {
    kernels.pack(x + t * m.columns, 0, m.columns, m.columns, packing, t, count, packed.data());
  }
  const int64_t ldy = m.rows + 3, tiles = (m.rows + kernels.lanes - 1) / kernels.lanes;
  std::vector<float> y(static_cast<size_t>(count * ldy), kUntouched);
  const int64_t together = count > kPanel ? kernels.tiles_together(m.columns, m.format) : 1;
  for (int64_t i = 0; i < tiles; i += together) {
    kernels.multiply(m, i, std::min(together, tiles - i), packed.data(), count, y.data(), ldy, m.data, scratch.data());
  }
  std::vector<float> out;
  for (int t = 0; t < count; ++t) {
    out.insert(out.end(), y.begin() + t * ldy, y.begin() + t * ldy + m.rows);
    for (int64_t i = m.rows; i < ldy; ++i) inside = inside && y[static_cast<size_t>(t * ldy + i)] == kUntouched;
  }
  return out;
}

// Where in its block of 32 the packing puts column i.
int64_t place_of(Packing packing, int64_t i, int64_t columns) {
  const int64_t c = i % 32;
  const bool turned = packing == Packing::kBlocksPaired && i / 256 < columns / 256 && i / 32 % 2 == 0;
  if (turned) return c / 16 * 16 + (c + 2) % 16;
  return packing == Packing::kBlocksEvenOdd ? c / 8 * 8 + c % 2 * 4 + c % 8 / 2 : c;
}

// What the packing made of a token: what the product is exact for.
std::vector<double> packed_numbers(const Kernels& kernels, Format format, const float* x, int64_t columns) {
  const Packing packing = packing_for(format);
  Guarded packed(packed_bytes(packing, columns));
  kernels.pack(x, 0, columns, columns, packing, 0, 1, packed.data());
  std::vector<double> out(static_cast<size_t>(columns));
  for (int64_t i = 0; i < columns; ++i) {
    double& number = out[static_cast<size_t>(i)];
    if (packing == Packing::kFloats) {
      number = static_cast<double>(packed.as<float>()[i]);
    } else if (packing == Packing::kBfloatPairs) {
      const uint32_t wide = static_cast<uint32_t>(packed.as<uint16_t>()[i]) << 16;
      float narrow;
      std::memcpy(&narrow, &wide, 4);
      number = static_cast<double>(narrow);
    } else {
      const ActivationBlock& block = packed.as<ActivationBlock>()[i / 32];
      number = static_cast<double>(block.scale) * block.values[place_of(packing, i, columns)];
    }
  }
  return out;
}

// Against the sum in double precision. 4e-6 of the sum of magnitudes: a group's scale is rounded three times, then
// comes one rounding a group (a column in plain formats).
void compare_to_double(Weight& weight, const std::vector<float>& x, const std::vector<float>& y, Worst& worst) {
  const Matrix& m = weight.matrix;
  std::vector<std::vector<float>> rows;
  for (int64_t r = 0; r < m.rows; ++r) rows.push_back(weight.numbers(r));
  for (int t = 0; t < kTokens; ++t) {
    const auto token = packed_numbers(*portable_kernels(), m.format, x.data() + t * m.columns, m.columns);
    for (int64_t r = 0; r < m.rows; ++r) {
      double sum = 0, magnitudes = 0;
      for (size_t c = 0; c < token.size(); ++c) {
        const double term = static_cast<double>(rows[static_cast<size_t>(r)][c]) * token[c];
        sum += term;
        magnitudes += std::fabs(term);
      }
      const double got = static_cast<double>(y[static_cast<size_t>(t * m.rows + r)]);
      worst.take(std::fabs(got - sum), 4e-6 * magnitudes + 1e-37);
    }
  }
}

// FNV-1a, after Fowler, Noll and Vo, over the bits of products.
uint64_t add_to_hash(uint64_t hash, const std::vector<float>& y) {
  for (const float number : y) {
    uint32_t bits;
    std::memcpy(&bits, &number, 4);
    hash = (hash ^ bits) * 0x100000001B3;
  }
  return hash;
}

// To the bit, but for the bfloat16 instruction of AVX-512, which takes numbers below 2⁻¹²⁶ for zero.
bool same(float got, float expected, bool exact, double allowance) {
  if (exact) return std::memcmp(&got, &expected, 4) == 0;
  return std::fabs(static_cast<double>(got) - static_cast<double>(expected)) <= allowance;
}

struct Case {
  Weight weight;
  std::vector<float> x, expected;  // expected: of every token alone
};

void check_format(const Kernels& kernels, const FormatLayout& layout, std::vector<Case*>& cases, Report& report) {
  int products = 0, wrong = 0;
  bool inside = true;
  const bool exact = packing_for(layout.format) != Packing::kBfloatPairs || kernels.name != std::string("avx512-vnni");
  for (Case* c : cases) {
    const Matrix& m = c->weight.matrix;
    for (const int count : kCounts) {
      const auto y = product(kernels, m, c->x.data(), count, inside);
      for (size_t i = 0; i < y.size(); ++i) {
        wrong += !same(y[i], c->expected[i], exact, 1e-6 * std::fabs(static_cast<double>(c->expected[i])) + 1e-37);
      }
      ++products;
    }
  }
  const char* right = exact ? "with the portable bits, alone or not" : "within 1e-6 of the portable ones";
  report.line(wrong == 0 && inside, "%s %s: %d products of 1 to 17 tokens %s%s", kernels.name, layout.name,
              products, wrong == 0 ? right : "that DIFFER from the portable ones",
              inside ? "" : ", and write outside their rows");
}

// A token with infinity or NaN gives neither a number nor anything to its neighbours.
void check_not_finite(const Kernels& kernels, const FormatLayout& layout, Case& c, Report& report) {
  const Matrix& m = c.weight.matrix;
  bool shows = true, alone = true, inside = true;
  for (const float bad : {INFINITY, -INFINITY, NAN}) {
    for (const int count : {2, kTokens}) {
      const auto clean = product(kernels, m, c.x.data(), count, inside);
      auto x = c.x;
      x[static_cast<size_t>(m.columns + m.columns / 2)] = bad;
      const auto y = product(kernels, m, x.data(), count, inside);
      for (size_t i = 0; i < y.size(); ++i) {
        const bool second = i / static_cast<size_t>(m.rows) == 1;
        if (second) shows = shows && !std::isfinite(y[i]);
        else alone = alone && std::memcmp(&y[i], &clean[i], 4) == 0;
      }
    }
  }
  report.line(shows && alone, "%s %s: infinity and NaN %s", kernels.name, layout.name,
              !shows ? "are lost" : !alone ? "spread to other tokens" : "show in their token, and there only");
}

}  // namespace

void check_linears(const std::vector<const Kernels*>& all, Report& report) {
  const Kernels& portable = *portable_kernels();
  uint64_t hash = 0xCBF29CE484222325;
  for (const FormatLayout& layout : kLayouts) {
    Random random(static_cast<uint64_t>(layout.format) + 1);
    std::vector<std::unique_ptr<Case>> cases;
    std::vector<Case*> list;
    Worst worst;
    bool inside = true;
    for (const Shape& shape : shapes(layout.columns)) {
      std::unique_ptr<Case> c(new Case{Weight(layout, shape, random), random_tokens(shape.columns, random), {}});
      for (int t = 0; t < kTokens; ++t) {
        const auto y = product(portable, c->weight.matrix, c->x.data() + t * shape.columns, 1, inside);
        c->expected.insert(c->expected.end(), y.begin(), y.end());
      }
      compare_to_double(c->weight, c->x, c->expected, worst);
      hash = add_to_hash(hash, c->expected);
      list.push_back(c.get());
      cases.push_back(std::move(c));
    }
    report.line(worst.passed(), "%s %s: within 4e-6 of the magnitudes of double precision (worst: %.2f of that)",
                portable.name, layout.name, worst.value());
    for (const Kernels* kernels : all) {
      check_format(*kernels, layout, list, report);
      check_not_finite(*kernels, layout, *list[1], report);
    }
  }
  report.line(hash == kEveryMachinesBits, "%s: products with hash %016llx, %016llx on every machine", portable.name,
              static_cast<unsigned long long>(hash), static_cast<unsigned long long>(kEveryMachinesBits));
}

}  // namespace gemma4::check
