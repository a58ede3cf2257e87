// Look-ups: token embeddings, and what every layer of E2B and E4B gets from its own table.
#pragma once

#include <cmath>

#include "rows/decode.h"
#include "steps/rows.h"

namespace gemma4 {

// x[t] = table[ids[t]] · factor; rows of x are ldx numbers apart.
class EmbedStep final : public RowStep {
 public:
  EmbedStep(const Kernels& kernels, Matrix table, float factor, float* x, int64_t ldx)
      : RowStep(kernels), table_(table), factor_(factor), x_(x), ldx_(ldx) {}
  const char* name() const override { return "embed"; }

 protected:
  void row(const Pass& pass, int64_t t, Thread&) const override {
    float* x = x_ + t * ldx_;
    decode_row(table_, pass.ids[t], 0, table_.columns, x);
    for (int64_t i = 0; i < table_.columns; ++i) x[i] *= factor_;
  }

 private:
  Matrix table_;
  float factor_;
  float* x_;
  int64_t ldx_;
};

// inputs[t] = (norm(inputs[t] · factor) · weight + table[ids[t]] · √P) / √2 for layers [first, first + count) of P
// numbers each: half from the token, half from the projection of its embedding, which `inputs` holds before.
class PerLayerStep final : public RowStep {
 public:
  struct Input {
    Matrix table;
    int64_t first, count, width;
    const float* weight;
    float eps, factor;
    float* inputs;  // [T, count · P]
  };
  PerLayerStep(const Kernels& kernels, Input in) : RowStep(kernels), in_(in) {}
  const char* name() const override { return "per-layer inputs"; }
  int64_t scratch_bytes() const override { return in_.count * in_.width * 4; }

 protected:
  void row(const Pass& pass, int64_t t, Thread& thread) const override {
    const int64_t total = in_.count * in_.width;
    float* inputs = in_.inputs + t * total;
    float* token = static_cast<float*>(thread.scratch);
    decode_row(in_.table, pass.ids[t], in_.first * in_.width, total, token);
    const float root = std::sqrt(static_cast<float>(in_.width));
    for (int64_t i = 0; i < total; ++i) inputs[i] *= in_.factor;
    for (int64_t i = 0; i < total; i += in_.width) {
      kernels_.rms_norm(inputs + i, in_.weight, in_.width, in_.eps, inputs + i);
    }
    constexpr float kHalf = 0.70710678118654752440f;
    for (int64_t i = 0; i < total; ++i) inputs[i] = (inputs[i] + token[i] * root) * kHalf;
  }

 private:
  Input in_;
};

}  // namespace gemma4
