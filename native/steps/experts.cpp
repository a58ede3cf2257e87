#include "steps/experts.h"

#include <cmath>

namespace gemma4 {

Routing::Routing(int64_t experts_, int64_t k, int64_t max_tokens)
    : num_experts(experts_), top_k(k), chosen(max_tokens * k), weights(max_tokens * k), slots(max_tokens * k),
      tokens(max_tokens * k), experts(max_tokens * k), offsets(experts_ + 1), next(experts_) {
  active.reserve(experts_);  // a step must not throw
}

void RouteStep::row(const Pass&, int64_t t, Thread& thread) const {
  const int64_t num_experts = routing_->num_experts, k = routing_->top_k;
  float* p = static_cast<float*>(thread.scratch);
  const float* logits = logits_ + t * num_experts;
  const float most = *std::max_element(logits, logits + num_experts);
  for (int64_t e = 0; e < num_experts; ++e) p[e] = std::exp(logits[e] - most);  // its sum cancels below
  float total = 0;
  for (int64_t j = 0; j < k; ++j) {
    const int64_t best = std::max_element(p, p + num_experts) - p;
    routing_->chosen[t * k + j] = static_cast<int32_t>(best);
    routing_->weights[t * k + j] = p[best];
    total += p[best];
    p[best] = -1.0f;
  }
  for (int64_t j = 0; j < k; ++j) {
    const int32_t expert = routing_->chosen[t * k + j];
    routing_->weights[t * k + j] = routing_->weights[t * k + j] / total * scales_[expert];
  }
}

void SortStep::run(const Pass& pass, int, Claim, Thread&) const {
  Routing& r = *routing_;
  const int64_t total = pass.count * r.top_k;
  std::fill(r.offsets.begin(), r.offsets.end(), 0);
  for (int64_t i = 0; i < total; ++i) ++r.offsets[r.chosen[i] + 1];
  r.active.clear();
  for (int64_t e = 0; e < r.num_experts; ++e) {
    if (r.offsets[e + 1]) r.active.push_back(static_cast<int32_t>(e));
    r.offsets[e + 1] += r.offsets[e];
  }
  std::copy(r.offsets.begin(), r.offsets.end() - 1, r.next.begin());
  for (int64_t i = 0; i < total; ++i) {
    const int64_t slot = r.next[r.chosen[i]]++;
    r.slots[i] = static_cast<int32_t>(slot);
    r.tokens[slot] = static_cast<int32_t>(i / r.top_k);
    r.experts[slot] = r.chosen[i];
  }
}

void SlotStep::pack(const float* x, int64_t width, Packing packing, int64_t slot, void* packed) const {
  const int32_t expert = routing_->experts[slot];
  const int64_t first = routing_->offsets[expert], count = routing_->offsets[expert + 1] - first;
  char* panels = static_cast<char*>(packed) + first * packed_bytes(packing, width);
  kernels_.pack(x, 0, width, width, packing, slot - first, count, panels);
}

void ExpertLinearStep::run(const Pass&, int, Claim claim, Thread& thread) const {
  const int64_t bytes = packed_bytes(packing_for(first_.format), first_.columns);
  for (int64_t task = claim.begin; task < claim.end; ++task) {
    const int32_t expert = routing_->active[task / tiles_];
    const int64_t first = routing_->offsets[expert], count = routing_->offsets[expert + 1] - first;
    Matrix weight = first_;
    weight.data += expert * first_.rows * first_.row_bytes;
    if (weight.scales) weight.scales += expert * first_.rows * (first_.columns / first_.group);
    const int64_t tile = task % tiles_, later = std::min(tile + 1, tiles_ - 1);
    kernels_.multiply(weight, tile, 1, static_cast<const char*>(x_) + first * bytes, count, y_ + first * first_.rows,
                      first_.rows, weight.data + later * kernels_.lanes * weight.row_bytes, thread.scratch);
  }
}

void CombineStep::row(const Pass&, int64_t t, Thread&) const {
  const int64_t k = routing_->top_k;
  float* out = out_ + t * width_;
  std::fill_n(out, width_, 0.0f);
  for (int64_t j = 0; j < k; ++j) {
    const float weight = routing_->weights[t * k + j];
    const float* y = y_ + routing_->slots[t * k + j] * width_;
    for (int64_t i = 0; i < width_; ++i) out[i] += weight * y[i];
  }
}

}  // namespace gemma4
