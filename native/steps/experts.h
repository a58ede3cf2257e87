// The experts of 26B-A4B: choosing them, and linears in which every expert multiplies the tokens that chose it.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "steps/rows.h"

namespace gemma4 {

// Who goes where. A slot is one token with one of its experts; slots lie expert by expert, tokens ascending.
struct Routing {
  int64_t num_experts, top_k;
  std::vector<int32_t> chosen;   // [T, k], best first
  std::vector<float> weights;    // [T, k]
  std::vector<int32_t> slots;    // [T, k], the slot of token t's j-th expert
  std::vector<int32_t> tokens;   // [slots]
  std::vector<int32_t> experts;  // [slots]
  std::vector<int64_t> offsets;  // [E + 1], first slot of each expert
  std::vector<int32_t> active;   // experts that have tokens
  std::vector<int64_t> next;     // [E], the next free slot of each expert while they are ordered

  Routing(int64_t num_experts, int64_t top_k, int64_t max_tokens);
};

// Softmax over all experts, the best k, renormalized, times the expert's own scale.
class RouteStep final : public RowStep {
 public:
  RouteStep(const Kernels& kernels, const float* logits, const float* scales, Routing* routing)
      : RowStep(kernels), logits_(logits), scales_(scales), routing_(routing) {}
  const char* name() const override { return "route"; }
  int64_t scratch_bytes() const override { return routing_->num_experts * 4; }

 protected:
  void row(const Pass& pass, int64_t t, Thread& thread) const override;

 private:
  const float* logits_;
  const float* scales_;
  Routing* routing_;
};

// Orders the slots by expert.
class SortStep final : public Step {
 public:
  explicit SortStep(Routing* routing) : routing_(routing) {}
  const char* name() const override { return "route"; }
  int64_t num_tasks(const Pass& pass, int) const override { return pass.count ? 1 : 0; }
  void run(const Pass& pass, int, Claim, Thread&) const override;

 private:
  Routing* routing_;
};

// Tasks are slots.
class SlotStep : public Step {
 public:
  SlotStep(const Kernels& kernels, const Routing* routing) : kernels_(kernels), routing_(routing) {}
  int64_t num_tasks(const Pass& pass, int) const override { return pass.count * routing_->top_k; }
  void run(const Pass& pass, int, Claim claim, Thread& thread) const override {
    for (int64_t slot = claim.begin; slot < claim.end; ++slot) row(pass, slot, thread);
  }

 protected:
  virtual void row(const Pass& pass, int64_t slot, Thread& thread) const = 0;
  // Packs the row of a slot among the panels of its expert.
  void pack(const float* x, int64_t width, Packing packing, int64_t slot, void* packed) const;
  const Kernels& kernels_;
  const Routing* routing_;
};

// packed[slot] = pack(x[token of the slot]).
class SpreadStep final : public SlotStep {
 public:
  SpreadStep(const Kernels& kernels, const Routing* routing, const float* x, int64_t width, Packing packing, void* packed)
      : SlotStep(kernels, routing), x_(x), width_(width), packing_(packing), packed_(packed) {}
  const char* name() const override { return "experts, pack"; }

 protected:
  void row(const Pass&, int64_t slot, Thread&) const override {
    pack(x_ + routing_->tokens[slot] * width_, width_, packing_, slot, packed_);
  }

 private:
  const float* x_;
  int64_t width_;
  Packing packing_;
  void* packed_;
};

// packed[slot] = pack(gelu(y[slot][:F]) · y[slot][F:]).
class SlotGateStep final : public SlotStep {
 public:
  SlotGateStep(const Kernels& kernels, const Routing* routing, const float* y, int64_t width, Packing packing, void* packed)
      : SlotStep(kernels, routing), y_(y), width_(width), packing_(packing), packed_(packed) {}
  const char* name() const override { return "experts, pack"; }
  int64_t scratch_bytes() const override { return width_ * 4; }

 protected:
  void row(const Pass&, int64_t slot, Thread& thread) const override {
    float* gated = static_cast<float*>(thread.scratch);
    const float* y = y_ + slot * 2 * width_;
    kernels_.gelu_gate(y, y + width_, width_, gated);
    pack(gated, width_, packing_, slot, packed_);
  }

 private:
  const float* y_;
  int64_t width_;
  Packing packing_;
  void* packed_;
};

// y[slot] = x[slot] · W of the slot's expert. `first` is expert 0; the others follow in memory.
class ExpertLinearStep final : public Step {
 public:
  ExpertLinearStep(const Kernels& kernels, const Routing* routing, Matrix first, const void* x, float* y)
      : kernels_(kernels), routing_(routing), first_(first), x_(x), y_(y),
        tiles_((first.rows + kernels.lanes - 1) / kernels.lanes) {}
  const char* name() const override { return "experts"; }
  int64_t num_tasks(const Pass& pass, int) const override {
    return pass.count ? static_cast<int64_t>(routing_->active.size()) * tiles_ : 0;
  }
  int64_t scratch_bytes() const override { return kernels_.scratch_bytes(first_.columns, first_.format); }
  void run(const Pass& pass, int, Claim claim, Thread& thread) const override;

 private:
  const Kernels& kernels_;
  const Routing* routing_;
  Matrix first_;
  const void* x_;
  float* y_;
  int64_t tiles_;
};

// out[t] = Σ over the token's experts, best first, of weight · y[slot].
class CombineStep final : public RowStep {
 public:
  CombineStep(const Kernels& kernels, const Routing* routing, const float* y, int64_t width, float* out)
      : RowStep(kernels), routing_(routing), y_(y), width_(width), out_(out) {}
  const char* name() const override { return "experts, combine"; }

 protected:
  void row(const Pass&, int64_t t, Thread&) const override;

 private:
  const Routing* routing_;
  const float* y_;
  int64_t width_;
  float* out_;
};

}  // namespace gemma4
