// Between the projections and the output of attention: norms, rotation, writing pages, attending.
#pragma once

#include "attention/pages.h"
#include "program/pass.h"
#include "steps/rows.h"

namespace gemma4 {

// One layer's attention. A layer that reads another's keys has no key buffer; `layer` is its source's.
struct AttentionLayer {
  int64_t num_heads, num_kv_heads, width;
  float* query;  // [T, N, H]; normed, rotated and scaled in place
  float* key;    // [T, K, H] or null
  float* value;  // [T, K, H]; holds the raw keys' values where they are the same
  const float* query_norm;
  const float* key_norm;
  bool keys_are_values, normalizes_values;
  float eps, scale;
  const float* cos;  // [T, H / 2]
  const float* sin;
  PageLayer layer;
  int64_t group;         // of layers whose pages are pooled
  int64_t window;        // positions seen, the token's own included; 0: all before it
  bool sees_spans;       // both ways inside an image
  float* out;  // [T, N, H]
};

class HeadsStep final : public RowStep {
 public:
  HeadsStep(const Kernels& kernels, AttentionLayer a) : RowStep(kernels), a_(a) {}
  const char* name() const override { return "heads"; }
  int64_t scratch_bytes() const override { return a_.width * 2 * 4; }

 protected:
  void row(const Pass& pass, int64_t t, Thread& thread) const override {
    const float* cos = a_.cos + t * (a_.width / 2);
    const float* sin = a_.sin + t * (a_.width / 2);
    for (int64_t n = 0; n < a_.num_heads; ++n) {
      float* q = a_.query + (t * a_.num_heads + n) * a_.width;
      kernels_.rms_norm(q, a_.query_norm, a_.width, a_.eps, q);
      kernels_.rotate(q, cos, sin, a_.width);
      if (a_.scale != 1.0f) for (int64_t i = 0; i < a_.width; ++i) q[i] *= a_.scale;
    }
    if (!a_.key) return;
    const int64_t position = pass.positions[t];
    const int32_t page = pass.tables[a_.group][request_of(pass, t)][position / kPage];
    for (int64_t k = 0; k < a_.num_kv_heads; ++k) {
      float* key = a_.key + (t * a_.num_kv_heads + k) * a_.width;
      float* value = a_.value + (t * a_.num_kv_heads + k) * a_.width;
      if (a_.keys_are_values) std::memcpy(value, key, static_cast<size_t>(a_.width) * 4);
      if (a_.normalizes_values) kernels_.rms_norm(value, nullptr, a_.width, a_.eps, value);
      kernels_.rms_norm(key, a_.key_norm, a_.width, a_.eps, key);
      kernels_.rotate(key, cos, sin, a_.width);
      kernels_.write_page(key, value, a_.layer, page, k, position % kPage, thread.scratch);
    }
  }

 private:
  static int64_t request_of(const Pass& pass, int64_t t) {
    for (const auto& run : pass.runs) if (t < run.first + run.count) return run.request;
    return 0;
  }
  AttentionLayer a_;
};

class AttendStep final : public Step {
 public:
  AttendStep(const Kernels& kernels, AttentionLayer a) : kernels_(kernels), a_(a) {}
  const char* name() const override { return "attend"; }
  int64_t scratch_bytes() const override { return 2 * kTileRows * a_.width * 4; }
  int64_t num_tasks(const Pass& pass, int num_threads) const override;
  void run(const Pass& pass, int num_threads, Claim claim, Thread& thread) const override;

 private:
  struct Shape {
    int64_t tokens, heads;  // of a tile
  };
  Shape shape(int rows) const;
  int64_t tasks_with(const Pass& pass, Shape shape) const;
  Shape choose(const Pass& pass, int num_threads) const;
  void attend(const Pass& pass, const TokenRun& run, Shape shape, int64_t task, Thread& thread) const;
  const Kernels& kernels_;
  AttentionLayer a_;
};

// cos and sin of position · frequency, [T, H / 2] each; a pair that stands still has frequency 0.
class RotationStep final : public RowStep {
 public:
  RotationStep(const Kernels& kernels, const float* frequencies, int64_t half, float* cos, float* sin)
      : RowStep(kernels), frequencies_(frequencies), half_(half), cos_(cos), sin_(sin) {}
  const char* name() const override { return "rotation"; }

 protected:
  void row(const Pass& pass, int64_t t, Thread&) const override;

 private:
  const float* frequencies_;
  int64_t half_;
  float* cos_;
  float* sin_;
};

}  // namespace gemma4
