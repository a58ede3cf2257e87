// Steps whose tasks are tokens: norms, gates, packing, gathering.
#pragma once

#include <algorithm>
#include <cstring>

#include "program/pass.h"

namespace gemma4 {

class RowStep : public Step {
 public:
  explicit RowStep(const Kernels& kernels) : kernels_(kernels) {}
  int64_t num_tasks(const Pass& pass, int) const override { return pass.count; }
  void run(const Pass& pass, int, Claim claim, Thread& thread) const override {
    for (int64_t t = claim.begin; t < claim.end; ++t) row(pass, t, thread);
  }

 protected:
  virtual void row(const Pass& pass, int64_t t, Thread& thread) const = 0;
  const Kernels& kernels_;
};

// Tasks are pieces of a token's columns, so that one token has work for several threads.
class PieceStep : public Step {
 public:
  PieceStep(const Kernels& kernels, int64_t width) : kernels_(kernels), width_(width) {}
  int64_t num_tasks(const Pass& pass, int) const override { return pass.count * pieces(); }
  void run(const Pass& pass, int, Claim claim, Thread& thread) const override {
    for (int64_t task = claim.begin; task < claim.end; ++task) {
      const int64_t from = task % pieces() * kPiece;
      piece(pass, task / pieces(), from, std::min(from + kPiece, width_), thread);
    }
  }
  int64_t scratch_bytes() const override { return kPiece * 4; }

 protected:
  virtual void piece(const Pass& pass, int64_t t, int64_t from, int64_t to, Thread& thread) const = 0;
  int64_t pieces() const { return (width_ + kPiece - 1) / kPiece; }
  static constexpr int64_t kPiece = 1024;
  const Kernels& kernels_;
  int64_t width_;
};

// packed = pack(x), or pack(norm(x) · weight) with a weight; `normed` keeps the normed row, if given.
class PackStep final : public PieceStep {
 public:
  struct Input {
    const float* x;
    int64_t width, ldx;
    bool normalizes;
    const float* weight;
    float eps;
    float* normed;
  };
  PackStep(const Kernels& kernels, Input in, Packing packing, void* packed)
      : PieceStep(kernels, in.width), in_(in), packing_(packing), packed_(packed) {}
  const char* name() const override { return in_.normalizes ? "norm, pack" : "pack"; }

 protected:
  void piece(const Pass& pass, int64_t t, int64_t from, int64_t to, Thread& thread) const override {
    const float* x = in_.x + t * in_.ldx + from;
    if (in_.normalizes) {  // each piece sums the whole row: cheaper than a meeting
      const float factor = kernels_.inverse_rms(in_.x + t * in_.ldx, in_.width, in_.eps);
      float* normed = in_.normed ? in_.normed + t * in_.width + from : static_cast<float*>(thread.scratch);
      kernels_.scale(x, factor, in_.weight ? in_.weight + from : nullptr, to - from, normed);
      x = normed;
    }
    if (packed_) kernels_.pack(x, from, to, in_.width, packing_, t, pass.count, packed_);
  }

 private:
  Input in_;
  Packing packing_;
  void* packed_;
};

// packed = pack(gelu(gate) · up).
class GateStep final : public PieceStep {
 public:
  struct Input {
    const float* gate;
    int64_t ld_gate;
    const float* up;
    int64_t ld_up, width;
  };
  GateStep(const Kernels& kernels, Input in, Packing packing, void* packed)
      : PieceStep(kernels, in.width), in_(in), packing_(packing), packed_(packed) {}
  const char* name() const override { return "gate, pack"; }

 protected:
  void piece(const Pass& pass, int64_t t, int64_t from, int64_t to, Thread& thread) const override {
    float* gated = static_cast<float*>(thread.scratch);
    kernels_.gelu_gate(in_.gate + t * in_.ld_gate + from, in_.up + t * in_.ld_up + from, to - from, gated);
    kernels_.pack(gated, from, to, in_.width, packing_, t, pass.count, packed_);
  }

 private:
  Input in_;
  Packing packing_;
  void* packed_;
};

// x = (x + norm(y) · weight) · scale.
class AddNormStep final : public RowStep {
 public:
  struct Input {
    float* x;
    const float* y;
    const float* weight;
    int64_t width;
    float eps, scale;
  };
  AddNormStep(const Kernels& kernels, Input in) : RowStep(kernels), in_(in) {}
  const char* name() const override { return "add norm"; }

 protected:
  void row(const Pass&, int64_t t, Thread&) const override {
    kernels_.add_norm(in_.x + t * in_.width, in_.y + t * in_.width, in_.weight, in_.width, in_.eps, in_.scale);
  }

 private:
  Input in_;
};

// to[i] = from[rows[i]].
class GatherStep final : public RowStep {
 public:
  GatherStep(const Kernels& kernels, const float* from, float* to, int64_t width)
      : RowStep(kernels), from_(from), to_(to), width_(width) {}
  const char* name() const override { return "gather"; }

 protected:
  void row(const Pass& pass, int64_t t, Thread&) const override {
    std::memcpy(to_ + t * width_, from_ + pass.rows[t] * width_, static_cast<size_t>(width_) * 4);
  }

 private:
  const float* from_;
  float* to_;
  int64_t width_;
};

// The pass's `out` [count, width] = cap · tanh(out / cap).
class SoftcapStep final : public PieceStep {
 public:
  SoftcapStep(const Kernels& kernels, int64_t width, float cap) : PieceStep(kernels, width), cap_(cap) {}
  const char* name() const override { return "softcap"; }

 protected:
  void piece(const Pass& pass, int64_t t, int64_t from, int64_t to, Thread&) const override {
    kernels_.softcap(pass.out + t * width_ + from, to - from, cap_);
  }

 private:
  float cap_;
};

}  // namespace gemma4
