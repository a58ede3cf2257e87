// Steps that only the towers have: rows with bounds and activations, and their two kinds of attention.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

#include "steps/rows.h"

namespace gemma4 {

// A row on its way to a linear: source → clamp to ±limit → norm → SiLU → bounds → packed, or stored as it is.
struct TowerRow {
  enum class Source : int32_t { kCopy, kGelu, kSigmoid, kConvolution };
  Source source;
  const float* x;
  int64_t ldx;
  const float* other;  // kGelu: x is the gate of this; kSigmoid: this gates x; kConvolution: weight [taps][width]
  int64_t ld_other;    // kConvolution: taps
  int64_t width;
  float limit;
  bool normalizes;
  const float* weight;  // of the norm; null: none
  float eps;
  bool activates;
  float low, high;
  float* stored;  // [T, width] or null
};

// Tasks are groups of rows, so that pairs of bfloat16 are packed panel by panel.
class TowerRowStep final : public Step {
 public:
  TowerRowStep(const Kernels& kernels, TowerRow in, Packing packing, void* packed)
      : kernels_(kernels), in_(in), packing_(packing), packed_(packed) {}
  const char* name() const override { return packed_ ? "row, pack" : "row"; }
  int64_t scratch_bytes() const override { return in_.width * 4 + kRowsTogether * ld() * 2; }
  int64_t num_tasks(const Pass& pass, int) const override { return (pass.count + kRowsTogether - 1) / kRowsTogether; }
  void run(const Pass& pass, int, Claim claim, Thread& thread) const override {
    for (int64_t task = claim.begin; task < claim.end; ++task) group(pass, task * kRowsTogether, thread);
  }

 private:
  // Of the rounded rows: a line of the cache more than a row, so that rows do not share their places in it.
  int64_t ld() const { return in_.width + 32; }
  void group(const Pass& pass, int64_t first, Thread& thread) const {
    float* row = static_cast<float*>(thread.scratch);
    auto* rounded = reinterpret_cast<uint16_t*>(row + in_.width);
    const bool together = packed_ && packing_ == Packing::kBfloatPairs && in_.width % 8 == 0;
    const int64_t num_rows = std::min<int64_t>(kRowsTogether, pass.count - first);
    for (int64_t r = 0; r < num_rows; ++r) {
      make(first + r, row);
      if (together) kernels_.round_row(row, in_.width, rounded + r * ld());
      else if (packed_) kernels_.pack(row, 0, in_.width, in_.width, packing_, first + r, pass.count, packed_);
    }
    if (together) kernels_.pack_rounded(rounded, ld(), first, num_rows, in_.width, pass.count, packed_);
  }
  void make(int64_t t, float* row) const {
    take(t, row);
    clamp(row, -in_.limit, in_.limit);
    if (in_.normalizes) kernels_.rms_norm(row, in_.weight, in_.width, in_.eps, row);
    if (in_.activates) kernels_.sigmoid_gate(row, row, in_.width, row);
    clamp(row, in_.low, in_.high);
    if (in_.stored) std::memcpy(in_.stored + t * in_.width, row, static_cast<size_t>(in_.width) * 4);
  }
  void take(int64_t t, float* row) const {
    const float* x = in_.x + t * in_.ldx;
    switch (in_.source) {
      case TowerRow::Source::kCopy:
        std::memcpy(row, x, static_cast<size_t>(in_.width) * 4);
        return;
      case TowerRow::Source::kGelu:
        return kernels_.gelu_gate(x, in_.other + t * in_.ld_other, in_.width, row);
      case TowerRow::Source::kSigmoid:
        return kernels_.sigmoid_gate(x, in_.other + t * in_.ld_other, in_.width, row);
      case TowerRow::Source::kConvolution:
        return kernels_.convolve(x, t + 1, in_.other, in_.ld_other, in_.width, row);
    }
  }
  void clamp(float* row, float low, float high) const {
    if (low != -INFINITY || high != INFINITY) kernels_.clamp(row, 1, 0, in_.width, low, high);
  }
  const Kernels& kernels_;
  TowerRow in_;
  Packing packing_;
  void* packed_;
};

// x += norm(y) · weight, or x += y without a weight.
class AddStep final : public RowStep {
 public:
  struct Input {
    float* x;
    const float* y;
    int64_t ldy, width;
    const float* weight;
    float eps;
  };
  AddStep(const Kernels& kernels, Input in) : RowStep(kernels), in_(in) {}
  const char* name() const override { return "add"; }

 protected:
  void row(const Pass&, int64_t t, Thread&) const override {
    float* x = in_.x + t * in_.width;
    const float* y = in_.y + t * in_.ldy;
    if (in_.weight) return kernels_.add_norm(x, y, in_.weight, in_.width, in_.eps, 1.0f);
    for (int64_t i = 0; i < in_.width; ++i) x[i] += y[i];
  }

 private:
  Input in_;
};

class PlaceHeadsStep final : public RowStep {
 public:
  PlaceHeadsStep(const Kernels& kernels, PatchHeads heads) : RowStep(kernels), heads_(heads) {}
  const char* name() const override { return "heads"; }
  int64_t scratch_bytes() const override { return heads_.width * 4; }

 protected:
  void row(const Pass& pass, int64_t t, Thread& thread) const override {
    kernels_.place_heads(heads_, t, pass.count, static_cast<float*>(thread.scratch));
  }

 private:
  PatchHeads heads_;
};

// Tasks are groups of tiles of queries, head by head, so that a head's keys and values stay in the cache.
class AttendPatchesStep final : public Step {
 public:
  AttendPatchesStep(const Kernels& kernels, PatchHeads heads) : kernels_(kernels), heads_(heads) {}
  const char* name() const override { return "attend"; }
  int64_t scratch_bytes() const override { return kernels_.patch_scratch_bytes(heads_.width); }
  int64_t num_tasks(const Pass& pass, int) const override { return heads_.num_heads * groups(pass); }
  void run(const Pass& pass, int, Claim claim, Thread& thread) const override {
    for (int64_t task = claim.begin; task < claim.end; ++task) {
      kernels_.attend_patches(heads_, task / groups(pass), task % groups(pass), pass.count, thread.scratch);
    }
  }

 private:
  int64_t groups(const Pass& pass) const {
    const int64_t queries = kernels_.lanes * kernels_.tiles_at_once;
    return (pass.count + queries - 1) / queries;
  }
  const Kernels& kernels_;
  PatchHeads heads_;
};

// Local attention: `first` is a row as that of token 0 and head 0, with seen = the most that any sees.
class AttendLocalStep final : public RowStep {
 public:
  AttendLocalStep(const Kernels& kernels, LocalRow first, int64_t num_heads)
      : RowStep(kernels), first_(first), num_heads_(num_heads) {}
  const char* name() const override { return "attend"; }
  int64_t scratch_bytes() const override { return first_.width * 4; }

 protected:
  void row(const Pass&, int64_t t, Thread& thread) const override {
    for (int64_t n = 0; n < num_heads_; ++n) {
      const int64_t place = t * first_.ld + n * first_.width;
      LocalRow row = first_;
      row.query += place;
      row.key += place;
      row.value += place;
      row.out += (t * num_heads_ + n) * first_.width;
      row.distances += n * first_.width;
      row.seen = static_cast<int>(std::min<int64_t>(first_.seen, t + 1));
      kernels_.attend_local(row, static_cast<float*>(thread.scratch));
    }
  }

 private:
  LocalRow first_;
  int64_t num_heads_;
};

}  // namespace gemma4
