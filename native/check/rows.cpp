#include <cmath>
#include <functional>

#include "check/checks.h"
#include "check/guarded.h"
#include "check/random.h"

namespace gemma4::check {

namespace {

constexpr int64_t kWidths[] = {16, 80, 256, 1536};

// A vector of float32 whose end is guarded.
class Vector {
 public:
  Vector(int64_t width, float size, Random& random) : bytes_(width * 4) {
    for (int64_t i = 0; i < width; ++i) data()[i] = random.between(-size, size);
  }
  float* data() { return bytes_.as<float>(); }
  double operator[](int64_t i) { return static_cast<double>(data()[i]); }

 private:
  Guarded bytes_;
};

double inverse_rms(Vector& x, int64_t width, double eps) {
  double squares = 0;
  for (int64_t i = 0; i < width; ++i) squares += x[i] * x[i];
  return 1 / std::sqrt(squares / static_cast<double>(width) + eps);
}

void check_norms(const Kernels& kernels, Report& report) {
  Random random(5);
  Worst norm, added;
  for (const int64_t width : kWidths) {
    Vector x(width, 3, random), y(width, 50, random), weight(width, 2, random), out(width, 0, random);
    const double eps = 1e-6, inverse = inverse_rms(x, width, eps), inverse_y = inverse_rms(y, width, eps);
    for (const bool weighted : {true, false}) {
      kernels.rms_norm(x.data(), weighted ? weight.data() : nullptr, width, 1e-6f, out.data());
      for (int64_t i = 0; i < width; ++i) {
        const double expected = x[i] * inverse * (weighted ? weight[i] : 1);
        norm.take(std::fabs(out[i] - expected), 5e-7 * std::fabs(expected));
      }
    }
    std::vector<double> before(static_cast<size_t>(width));
    for (int64_t i = 0; i < width; ++i) before[static_cast<size_t>(i)] = x[i];
    kernels.add_norm(x.data(), y.data(), weight.data(), width, 1e-6f, 0.75f);
    for (int64_t i = 0; i < width; ++i) {
      const double old = before[static_cast<size_t>(i)], normed = y[i] * inverse_y * weight[i];
      added.take(std::fabs(x[i] - (old + normed) * 0.75), 5e-7 * (std::fabs(old) + std::fabs(normed)));
    }
  }
  report.line(norm.passed(), "%s rms_norm: relative error below 5e-7 (worst: %.2f of that)", kernels.name,
              norm.value());
  report.line(added.passed(), "%s add_norm: error below 5e-7 of the magnitudes (worst: %.2f of that)",
              kernels.name, added.value());
}

double gelu(double x) {
  // x / (1 + e^−2u) and not x / 2 · (1 + tanh u), which loses all digits below −6 even here.
  return x / (1 + std::exp(-2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

void check_gates(const Kernels& kernels, Report& report) {
  Random random(6);
  Worst gate, small, cap;
  for (const float size : {6.5f, 1.0f, 1e-3f, 60.0f}) {
    for (const int64_t width : kWidths) {
      Vector x(width, size, random), up(width, 2, random), out(width, 0, random);
      kernels.gelu_gate(x.data(), up.data(), width, out.data());
      for (int64_t i = 0; i < width; ++i) {
        const double expected = gelu(x[i]) * up[i], error = std::fabs(out[i] - expected);
        if (x[i] < -6.5) small.take(error, 1e-9);
        else gate.take(error, 4e-6 * std::fabs(expected));
      }
      const float limit = 30.0f;
      for (int64_t i = 0; i < width; ++i) out.data()[i] = x.data()[i];
      kernels.softcap(out.data(), width, limit);
      for (int64_t i = 0; i < width; ++i) {
        cap.take(std::fabs(out[i] - 30 * std::tanh(x[i] / 30)), 3e-7 * 30);
      }
    }
  }
  report.line(gate.passed(), "%s gelu_gate: relative error below 4e-6 from -6.5 on (worst: %.2f of that)",
              kernels.name, gate.value());
  report.line(small.passed(), "%s gelu_gate: error below 1e-9 below -6.5 (worst: %.2f of that)", kernels.name,
              small.value());
  report.line(cap.passed(), "%s softcap: error below 3e-7 of the cap (worst: %.2f of that)", kernels.name,
              cap.value());
}

void check_rotation(const Kernels& kernels, Report& report) {
  Random random(7);
  Worst worst;
  for (const int64_t width : {32, 96, 256, 512}) {
    Vector x(width, 2, random), cosines(width / 2, 1, random), sines(width / 2, 1, random);
    std::vector<double> before(static_cast<size_t>(width));
    for (int64_t i = 0; i < width; ++i) before[static_cast<size_t>(i)] = x[i];
    kernels.rotate(x.data(), cosines.data(), sines.data(), width);
    for (int64_t i = 0; i < width / 2; ++i) {
      const double a = before[static_cast<size_t>(i)], b = before[static_cast<size_t>(i + width / 2)];
      const double allowed = 2e-7 * (std::fabs(a) + std::fabs(b));
      worst.take(std::fabs(x[i] - (a * cosines[i] - b * sines[i])), allowed);
      worst.take(std::fabs(x[i + width / 2] - (b * cosines[i] + a * sines[i])), allowed);
    }
  }
  report.line(worst.passed(), "%s rotate: error below 2e-7 of the magnitudes (worst: %.2f of that)", kernels.name,
              worst.value());
}

// No number in, no number out, and large numbers end where the function ends.
void check_extremes(const Kernels& kernels, Report& report) {
  constexpr int64_t kWidth = 16;
  Random random(8);
  Vector x(kWidth, 1, random), ones(kWidth, 0, random), out(kWidth, 0, random);
  for (int64_t i = 0; i < kWidth; ++i) ones.data()[i] = 1.0f;
  const auto with = [&](float value, const std::function<void()>& work) {
    const float kept = x.data()[3];
    x.data()[3] = value;
    for (int64_t i = 0; i < kWidth; ++i) out.data()[i] = x.data()[i];
    work();
    x.data()[3] = kept;
    return out[3];
  };
  const auto gelu_gate = [&] { kernels.gelu_gate(x.data(), ones.data(), kWidth, out.data()); };
  const auto softcap = [&] { kernels.softcap(out.data(), kWidth, 30.0f); };
  const auto norm = [&] { kernels.rms_norm(x.data(), nullptr, kWidth, 1e-6f, out.data()); };
  report.line(std::isnan(with(NAN, gelu_gate)) && std::isnan(with(NAN, softcap)) && std::isnan(with(NAN, norm)),
              "%s gelu_gate, softcap, rms_norm: NaN stays NaN", kernels.name);
  const bool ends = with(1e30f, gelu_gate) == static_cast<double>(1e30f) &&
                    std::fabs(with(-1e4f, gelu_gate)) < 1e-30 && with(INFINITY, gelu_gate) == HUGE_VAL &&
                    with(INFINITY, softcap) == 30 && with(-INFINITY, softcap) == -30 &&
                    with(-1e30f, softcap) == -30;
  report.line(ends, "%s gelu_gate, softcap: right at the ends", kernels.name);
}

}  // namespace

void check_rows(const Kernels& kernels, Report& report) {
  check_norms(kernels, report);
  check_gates(kernels, report);
  check_rotation(kernels, report);
  check_extremes(kernels, report);
}

}  // namespace gemma4::check
