#include <algorithm>
#include <cmath>
#include <cstring>

#include "check/checks.h"
#include "check/guarded.h"
#include "check/random.h"

namespace gemma4::check {

namespace {

// Numbers whose end is guarded.
class Numbers {
 public:
  Numbers(int64_t size, float most, Random& random) : bytes_(size * 4) {
    for (int64_t i = 0; i < size; ++i) data()[i] = random.between(-most, most);
  }
  float* data() { return bytes_.as<float>(); }
  double operator[](int64_t i) { return static_cast<double>(data()[i]); }

 private:
  Guarded bytes_;
};

void check_row_functions(const Kernels& kernels, Report& report) {
  constexpr int64_t kTaps = 5, kRows = 7, kWidth = 48;
  Random random(21);
  Numbers x(kRows * kWidth, 9, random), gate(kWidth, 9, random), weight(kTaps * kWidth, 1, random), out(kWidth, 0, random);
  Worst gated, convolved;
  kernels.sigmoid_gate(x.data(), gate.data(), kWidth, out.data());
  for (int64_t i = 0; i < kWidth; ++i) {
    const double expected = x[i] / (1 + std::exp(-gate[i]));
    gated.take(std::fabs(out[i] - expected), 1e-6 * std::fabs(expected));
  }
  for (int64_t t = 0; t < kRows; ++t) {
    kernels.convolve(x.data() + t * kWidth, t + 1, weight.data(), kTaps, kWidth, out.data());
    for (int64_t i = 0; i < kWidth; ++i) {
      double sum = 0, magnitudes = 0;
      for (int64_t j = std::max<int64_t>(0, kTaps - 1 - t); j < kTaps; ++j) {
        const double term = x[(t - (kTaps - 1 - j)) * kWidth + i] * weight[j * kWidth + i];
        sum += term;
        magnitudes += std::fabs(term);
      }
      convolved.take(std::fabs(out[i] - sum), 1e-6 * magnitudes);
    }
  }
  report.line(gated.passed() && convolved.passed(),
              "%s sigmoid_gate, convolve: within 1e-6 (worst: %.2f and %.2f of that)", kernels.name, gated.value(),
              convolved.value());
}

void check_clamp(const Kernels& kernels, Report& report) {
  constexpr int64_t kRows = 3, kWidth = 32, kLd = kWidth + 3;
  Random random(22);
  Numbers x((kRows - 1) * kLd + kWidth, 4, random);
  x.data()[5] = NAN;
  std::vector<float> before(x.data(), x.data() + (kRows - 1) * kLd + kWidth);
  kernels.clamp(x.data(), kRows, kLd, kWidth, -1.0f, 2.5f);
  bool right = true;
  for (size_t i = 0; i < before.size(); ++i) {
    const bool inside = static_cast<int64_t>(i) % kLd < kWidth;
    const float expected = inside ? std::min(2.5f, std::max(-1.0f, before[i])) : before[i];
    right = right && (i == 5 ? std::isnan(x.data()[i]) : x.data()[i] == expected);
  }
  report.line(right, "%s clamp: NaN stays, nothing between the rows is touched", kernels.name);
}

// Rows rounded first and packed together, against rows packed one by one.
void check_rounded(const Kernels& kernels, Report& report) {
  constexpr int64_t kColumns = 40, kLd = kColumns + 32;
  constexpr int kMost = 37;
  Random random(23);
  Numbers x(kMost * kColumns, 3, random);
  x.data()[7] = NAN;
  bool same = true;
  for (const int count : {1, 7, 8, 9, 16, 17, 24, 32, kMost}) {
    Guarded expected(packed_bytes(Packing::kBfloatPairs, kColumns) * count);
    Guarded ours(packed_bytes(Packing::kBfloatPairs, kColumns) * count), rows(((kRowsTogether - 1) * kLd + kColumns) * 2);
    for (int t = 0; t < count; ++t) {
      portable_kernels()->pack(x.data() + t * kColumns, 0, kColumns, kColumns, Packing::kBfloatPairs, t, count,
                               expected.data());
    }
    for (int first = 0; first < count; first += kRowsTogether) {
      const int num_rows = std::min(kRowsTogether, count - first);
      for (int r = 0; r < num_rows; ++r) {
        kernels.round_row(x.data() + (first + r) * kColumns, kColumns, rows.as<uint16_t>() + r * kLd);
      }
      kernels.pack_rounded(rows.as<uint16_t>(), kLd, first, num_rows, kColumns, count, ours.data());
    }
    const size_t bytes = static_cast<size_t>(packed_bytes(Packing::kBfloatPairs, kColumns) * count);
    same = same && std::memcmp(ours.data(), expected.data(), bytes) == 0;
  }
  report.line(same, "%s round_row, pack_rounded: %s bits of rows packed one by one", kernels.name,
              same ? "the" : "NOT the");
}

void softmax(std::vector<double>& scores) {
  const double most = *std::max_element(scores.begin(), scores.end());
  double total = 0;
  for (auto& s : scores) total += s = std::exp(s - most);
  for (auto& s : scores) s /= total;
}

void check_local(const Kernels& kernels, Report& report) {
  constexpr int64_t kWidth = 64, kLd = kWidth + 16;
  constexpr int kMost = 13;
  Random random(24);
  Numbers query(kWidth, 1, random), scales(kWidth, 1, random), distances(kMost * kWidth, 0.3f, random);
  Numbers keys((kMost - 1) * kLd + kWidth, 1, random), values((kMost - 1) * kLd + kWidth, 1, random);
  Numbers out(kWidth, 0, random), scratch(kWidth, 0, random);
  Worst worst;
  for (int seen = 1; seen <= kMost; ++seen) {
    const int64_t own = (seen - 1) * kLd;
    const LocalRow row{query.data(), scales.data(), keys.data() + own, values.data() + own, kLd, distances.data(),
                       kWidth, seen, kWidth, 0.7f, 50.0f, out.data()};
    kernels.attend_local(row, scratch.data());
    std::vector<double> weights;
    for (int s = 0; s < seen; ++s) {
      double score = 0;
      for (int64_t h = 0; h < kWidth; ++h) {
        const double key = keys[own - s * kLd + h] * static_cast<double>(0.7f) + distances[s * kWidth + h];
        score += query[h] * scales[h] * key;
      }
      weights.push_back(50 * std::tanh(score / 50));
    }
    softmax(weights);
    for (int64_t h = 0; h < kWidth; ++h) {
      double sum = 0, magnitudes = 0;
      for (int s = 0; s < seen; ++s) {
        const double term = weights[static_cast<size_t>(s)] * values[own - s * kLd + h];
        sum += term;
        magnitudes += std::fabs(term);
      }
      worst.take(std::fabs(out[h] - sum), 3e-5 * magnitudes);
    }
  }
  report.line(worst.passed(), "%s attend_local: within 3e-5 of double precision (worst: %.2f of that)", kernels.name,
              worst.value());
}

// A head normed and turned, in double precision.
std::vector<double> placed(Numbers& x, int64_t at, Numbers* norm, Numbers* cos, Numbers* sin, int64_t t, int64_t width) {
  std::vector<double> head;
  double squares = 0;
  for (int64_t i = 0; i < width; ++i) squares += x[at + i] * x[at + i];
  const double inverse = 1 / std::sqrt(squares / static_cast<double>(width) + 1e-6);
  for (int64_t i = 0; i < width; ++i) head.push_back(x[at + i] * inverse * (norm ? (*norm)[i] : 1));
  const int64_t quarter = width / 4;
  for (int64_t i = 0; cos && i < 2 * quarter; ++i) {
    const size_t first = static_cast<size_t>(i / quarter * (width / 2) + i % quarter);
    const double c = (*cos)[t * 2 * quarter + i], s = (*sin)[t * 2 * quarter + i];
    const double a = head[first], b = head[first + static_cast<size_t>(quarter)];
    head[first] = a * c - b * s;
    head[first + static_cast<size_t>(quarter)] = b * c + a * s;
  }
  return head;
}

void check_patches(const Kernels& kernels, int64_t width, int64_t count, Report& report) {
  constexpr int64_t kHeads = 2;  // that share a key head
  Random random(25);
  const int64_t ld_query = kHeads * width + 3, ld_key = width + 5;
  Numbers query(count * ld_query, 1, random), key(count * ld_key, 1, random), value(count * ld_key, 1, random);
  Numbers query_norm(width, 0.5f, random), key_norm(width, 0.5f, random);
  Numbers cos(count * width / 2, 1, random), sin(count * width / 2, 1, random), out(count * kHeads * width, 0, random);
  PatchHeads a{kHeads, 1, width, query.data(), ld_query, key.data(), value.data(), ld_key, query_norm.data(),
               key_norm.data(), 1e-6f, cos.data(), sin.data(), nullptr, nullptr, nullptr, out.data()};
  Guarded queries(kHeads * a.query_words(count, kernels.lanes) * 4), keys(a.key_words(count) * 4);
  Guarded values(a.value_words(count) * 4), scratch(kernels.patch_scratch_bytes(width)), head(width * 4);
  a.queries = queries.as<uint32_t>();
  a.keys = keys.as<uint32_t>();
  a.values = values.as<uint32_t>();
  for (int64_t t = 0; t < count; ++t) kernels.place_heads(a, t, count, head.as<float>());
  for (int64_t n = 0; n < kHeads; ++n) {
    for (int64_t tile = 0; tile * kernels.lanes < count; ++tile) kernels.attend_patches(a, n, tile, count, scratch.data());
  }
  std::vector<std::vector<double>> k, v;
  for (int64_t s = 0; s < count; ++s) k.push_back(placed(key, s * ld_key, &key_norm, &cos, &sin, s, width));
  for (int64_t s = 0; s < count; ++s) v.push_back(placed(value, s * ld_key, nullptr, nullptr, nullptr, s, width));
  Worst worst;
  for (int64_t i = 0; i < count * kHeads; i += 1 + count / 40) {  // some of the rows, all lanes
    const auto q = placed(query, i / kHeads * ld_query + i % kHeads * width, &query_norm, &cos, &sin, i / kHeads, width);
    std::vector<double> weights;
    for (const auto& one : k) {
      double score = 0;
      for (size_t h = 0; h < q.size(); ++h) score += q[h] * one[h];
      weights.push_back(score);
    }
    softmax(weights);
    for (size_t h = 0; h < q.size(); ++h) {
      double sum = 0, magnitudes = 0;
      for (size_t s = 0; s < v.size(); ++s) sum += weights[s] * v[s][h];
      for (size_t s = 0; s < v.size(); ++s) magnitudes += weights[s] * std::fabs(v[s][h]);
      worst.take(std::fabs(out[i * width + static_cast<int64_t>(h)] - sum), 0x1p-7 * magnitudes);
    }
  }
  report.line(worst.passed(), "%s attend_patches: %d patches, width %d, rounded to bfloat16: within 2^-7 (worst: %.2f of that)",
              kernels.name, static_cast<int>(count), static_cast<int>(width), worst.value());
}

}  // namespace

void check_towers(const Kernels& kernels, Report& report) {
  check_row_functions(kernels, report);
  check_clamp(kernels, report);
  check_rounded(kernels, report);
  check_local(kernels, report);
  for (const int64_t width : {64, 72}) {
    for (const int64_t count : {1, 6, 19, 531}) check_patches(kernels, width, count, report);  // 512: a block of keys
  }
}

}  // namespace gemma4::check
