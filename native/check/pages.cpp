#include <algorithm>
#include <cmath>
#include <cstring>

#include "attention/pages.h"
#include "check/checks.h"
#include "check/guarded.h"
#include "check/random.h"

namespace gemma4::check {

namespace {

constexpr int64_t kPages = 6, kRows = 2, kHeads = 2, kHead = 1;  // the layer under test is row 1
constexpr int32_t kTable[] = {4, 0, 5, 2, 1};  // page 3 is another request's

struct Kind {
  Stored stored;
  const char* name;
  int64_t bytes;
  double rounding;  // largest error of a stored number, relative to it; of bytes: to the largest of its head
};
constexpr Kind kKinds[] = {{Stored::F32, "float32", 4, 0},
                           {Stored::F16, "float16", 2, 0x1p-11},
                           {Stored::BF16, "bfloat16", 2, 0x1p-8},
                           {Stored::I8, "8 bits", 1, 0.5 / 127 * (1 + 1e-5)}};

// All pages of a group, full of bits that are no numbers until tokens are written.
class Storage {
 public:
  Storage(const Kind& kind, int64_t width)
      : keys(bytes(kind, width)), values(bytes(kind, width)),
        key_scales(places() * 4), value_scales(places() * 4) {
    std::memset(keys.data(), 255, static_cast<size_t>(bytes(kind, width)));
    std::memset(values.data(), 255, static_cast<size_t>(bytes(kind, width)));
    std::memset(key_scales.data(), 255, static_cast<size_t>(places() * 4));
    std::memset(value_scales.data(), 255, static_cast<size_t>(places() * 4));
    const bool scaled = kind.stored == Stored::I8;
    layer = {keys.data(), values.data(), scaled ? key_scales.as<float>() : nullptr,
             scaled ? value_scales.as<float>() : nullptr, kRows * kHeads, kHeads, width, kind.stored};
  }

  static int64_t places() { return kPages * kRows * kHeads * kPage; }
  static int64_t bytes(const Kind& kind, int64_t width) { return places() * width * kind.bytes; }

  static int64_t place(int position) {
    return (kTable[position / kPage] * kRows * kHeads + kHeads + kHead) * kPage;  // of a head's first token
  }
  double key(int position, int64_t h) const {
    const int64_t slot = position % kPage, first = place(position);
    return number(layer.keys, first * layer.width + h * kPage + slot) * scale(layer.key_scales, first + slot);
  }
  double value(int position, int64_t h) const {
    const int64_t slot = position % kPage, first = place(position);
    return number(layer.values, (first + slot) * layer.width + h) * scale(layer.value_scales, first + slot);
  }

  Guarded keys, values, key_scales, value_scales;
  PageLayer layer;

 private:
  static double scale(const float* all, int64_t at) { return all ? static_cast<double>(all[at]) : 1.0; }
  static double half(uint16_t bits) {
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    const double size = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    return exponent == 31 ? NAN : bits & 0x8000 ? -size : size;
  }
  double number(const void* all, int64_t at) const {
    if (layer.stored == Stored::F32) return static_cast<double>(static_cast<const float*>(all)[at]);
    if (layer.stored == Stored::I8) return static_cast<const int8_t*>(all)[at];
    const uint16_t bits = static_cast<const uint16_t*>(all)[at];
    if (layer.stored == Stored::F16) return half(bits);
    const uint32_t wide = static_cast<uint32_t>(bits) << 16;
    float x;
    std::memcpy(&x, &wide, 4);
    return static_cast<double>(x);
  }
};

// Keys and values of `length` tokens, [length][2][width]. Token 2 is all zeros, token 3 below float16's range.
std::vector<float> random_tokens(int length, int64_t width, Random& random) {
  std::vector<float> x(static_cast<size_t>(length * 2 * width));
  for (size_t i = 0; i < x.size(); ++i) {
    const int64_t token = static_cast<int64_t>(i) / (2 * width);
    x[i] = random.between(-1.5f, 1.5f) * (token == 2 ? 0.0f : token == 3 ? 1e-6f : 1.0f);
  }
  return x;
}

void write_all(const Kernels& kernels, const std::vector<float>& tokens, int length, Storage& storage) {
  const int64_t width = storage.layer.width;
  Guarded scratch(2 * width * 4);
  for (int s = 0; s < length; ++s) {
    const float* key = tokens.data() + s * 2 * width;
    kernels.write_page(key, key + width, storage.layer, kTable[s / kPage], kHead, s % kPage, scratch.data());
  }
}

void check_writing(const Kernels& kernels, const Kind& kind, int64_t width, Report& report) {
  constexpr int kLength = 70;
  Random random(11);
  const auto tokens = random_tokens(kLength, width, random);
  Storage ours(kind, width), expected(kind, width);
  write_all(kernels, tokens, kLength, ours);
  write_all(*portable_kernels(), tokens, kLength, expected);
  const auto same = [](Guarded& a, Guarded& b, int64_t bytes) {
    return std::memcmp(a.data(), b.data(), static_cast<size_t>(bytes)) == 0;
  };
  const bool bits = same(ours.keys, expected.keys, Storage::bytes(kind, width)) &&
                    same(ours.values, expected.values, Storage::bytes(kind, width)) &&
                    same(ours.key_scales, expected.key_scales, Storage::places() * 4) &&
                    same(ours.value_scales, expected.value_scales, Storage::places() * 4);
  Worst worst;
  for (int s = 0; s < kLength; ++s) {
    const float* key = tokens.data() + s * 2 * width;
    double peak[2] = {0, 0};
    for (int64_t h = 0; h < 2 * width; ++h) {
      peak[h / width] = std::fmax(peak[h / width], std::fabs(static_cast<double>(key[h])));
    }
    for (int64_t h = 0; h < 2 * width; ++h) {
      const double x = static_cast<double>(key[h]), got = h < width ? ours.key(s, h) : ours.value(s, h - width);
      const double allowed = kind.rounding * (kind.stored == Stored::I8 ? peak[h / width] : std::fabs(x));
      worst.take(std::fabs(got - x), allowed + (kind.stored == Stored::F16 ? 0x1p-25 : 0));
    }
  }
  report.line(bits && worst.passed(), "%s write_page, %s, width %d: nearest numbers in their places, %s",
              kernels.name, kind.name, static_cast<int>(width),
              bits ? "nothing else touched" : "bits that DIFFER from the portable ones");
}

// R query rows of a request of `length` tokens and what they see.
struct Queries {
  int num_rows;
  std::vector<float> numbers;  // [R][width]
  int low[kTileRows], high[kTileRows];

  Queries(int rows, int64_t width, int length, int window, bool causal, float size, Random& random)
      : num_rows(rows), numbers(static_cast<size_t>(rows * width)) {
    for (auto& x : numbers) x = random.between(-size, size);
    for (int r = 0; r < rows; ++r) {
      const int position = std::max(0, length - rows + r);
      high[r] = causal ? position + 1 : length;
      low[r] = std::max(0, position + 1 - window);
    }
  }
};

// Rows [from, from + count) in one tile, each out [width].
std::vector<float> attend(const Kernels& kernels, const Storage& storage, Queries& queries, int from, int count) {
  const int64_t width = storage.layer.width;
  Guarded scratch(2 * count * width * 4), out(count * width * 4), in(count * width * 4);
  std::memcpy(in.data(), queries.numbers.data() + from * width, static_cast<size_t>(count * width * 4));
  AttentionTile tile{&storage.layer, kTable, kHead, count, {}, {}, {}, {}};
  for (int r = 0; r < count; ++r) {
    tile.query[r] = in.as<float>() + r * width;
    tile.out[r] = out.as<float>() + r * width;
    tile.low[r] = queries.low[from + r];
    tile.high[r] = queries.high[from + r];
  }
  kernels.attend(tile, scratch.as<float>());
  return std::vector<float>(out.as<float>(), out.as<float>() + count * width);
}

void compare_to_double(const Storage& storage, const Queries& queries, const std::vector<float>& got,
                       Worst& worst) {
  const int64_t width = storage.layer.width;
  for (int r = 0; r < queries.num_rows; ++r) {
    std::vector<double> weights, sums(static_cast<size_t>(width)), magnitudes(static_cast<size_t>(width));
    double most = -HUGE_VAL, total = 0;
    for (int s = queries.low[r]; s < queries.high[r]; ++s) {
      double score = 0;
      for (int64_t h = 0; h < width; ++h) {
        score += static_cast<double>(queries.numbers[static_cast<size_t>(r * width + h)]) * storage.key(s, h);
      }
      weights.push_back(score);
      most = std::fmax(most, score);
    }
    for (auto& w : weights) total += w = std::exp(w - most);
    for (int s = queries.low[r]; s < queries.high[r]; ++s) {
      const double weight = weights[static_cast<size_t>(s - queries.low[r])] / total;
      for (int64_t h = 0; h < width; ++h) {
        sums[static_cast<size_t>(h)] += weight * storage.value(s, h);
        magnitudes[static_cast<size_t>(h)] += weight * std::fabs(storage.value(s, h));
      }
    }
    for (int64_t h = 0; h < width; ++h) {
      const size_t i = static_cast<size_t>(h);
      const double result = static_cast<double>(got[static_cast<size_t>(r * width + h)]);
      worst.take(std::fabs(result - sums[i]), 3e-5 * magnitudes[i] + 1e-30);
    }
  }
}

void check_attention(const Kernels& kernels, const Kind& kind, int64_t width, Report& report) {
  constexpr int kLongest = 150;
  Random random(static_cast<uint64_t>(width) + 13);
  const auto tokens = random_tokens(kLongest, width, random);
  Worst worst;
  bool alone = true;
  int tiles = 0;
  for (const int length : {1, 31, 32, 33, 97, kLongest}) {
    Storage storage(kind, width);
    write_all(kernels, tokens, length, storage);
    for (int rows = 1; rows <= std::min(kTileRows, length); ++rows) {
      const int window = random.below(2) ? kLongest : 5 + random.below(60);
      // Scores of about one, or of tens: then the running maximum rises often, and a score's last bit counts.
      const float size = (random.below(2) ? 2.0f : 20.0f) / std::sqrt(static_cast<float>(width));
      Queries queries(rows, width, length, window, random.below(4) != 0, size, random);
      const auto got = attend(kernels, storage, queries, 0, rows);
      compare_to_double(storage, queries, got, worst);
      for (int r = 0; r < rows; ++r) {
        const auto one = attend(kernels, storage, queries, r, 1);
        alone = alone && std::memcmp(one.data(), got.data() + r * width, static_cast<size_t>(width * 4)) == 0;
      }
      ++tiles;
    }
  }
  report.line(worst.passed() && alone,
              "%s attend, %s, width %d: %d tiles within 3e-5 of double precision (worst: %.2f of that), %s",
              kernels.name, kind.name, static_cast<int>(width), tiles, worst.value(),
              alone ? "a row alone the same bits" : "a row alone DIFFERENT bits");
}

// A number that is none in a key that a row sees shows in that row, in a key that it does not see does not.
void check_not_finite(const Kernels& kernels, Report& report) {
  constexpr int64_t kWidth = 256;
  constexpr int kLength = 70;
  bool shows = true, alone = true;
  for (const int bad : {0, 20, 31, 32, 40, 66}) {
    for (const Kind& kind : kKinds) {
      Random random(17);
      auto tokens = random_tokens(kLength, kWidth, random);
      tokens[static_cast<size_t>(bad * 2 * kWidth + 9)] = NAN;
      Storage storage(kind, kWidth);
      write_all(kernels, tokens, kLength, storage);
      Queries queries(4, kWidth, kLength, 200, true, 0.1f, random);
      for (int r = 0; r < 4; ++r) queries.high[r] = r == 0 ? bad + 1 : r == 1 ? bad : kLength;
      queries.low[1] = std::max(0, bad - 5);
      queries.low[3] = bad + 1;
      if (bad == 0) {  // nothing lies before it
        queries.low[1] = 1;
        queries.high[1] = 2;
      }
      const auto got = attend(kernels, storage, queries, 0, 4);
      for (int r = 0; r < 4; ++r) {
        const bool is_nan = std::isnan(got[static_cast<size_t>(r * kWidth)]);
        (r % 2 == 0 ? shows : alone) &= r % 2 == 0 ? is_nan : !is_nan;
      }
    }
  }
  report.line(shows && alone, "%s attend: NaN in a key %s", kernels.name,
              !shows  ? "is lost"
              : !alone ? "spreads to rows that do not see it"
                       : "shows in the rows that see it, only there");
}

}  // namespace

void check_pages(const std::vector<const Kernels*>& all, Report& report) {
  for (const Kernels* kernels : all) {
    for (const Kind& kind : kKinds) {
      for (const int64_t width : {256, 512, 80}) check_writing(*kernels, kind, width, report);
    }
    for (const Kind& kind : kKinds) {
      for (const int64_t width : {256, 512, 80}) check_attention(*kernels, kind, width, report);
    }
    check_not_finite(*kernels, report);
  }
}

}  // namespace gemma4::check
