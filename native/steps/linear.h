// Linears over packed activations: one weight, or several that read the same activations.
#pragma once

#include <cmath>
#include <vector>

#include "program/pass.h"

namespace gemma4 {

// y[t · ldy + row] = x[t] · W[row], no lower than `low` and no higher than `high`; y null: the pass's `out`.
struct Product {
  Matrix weight;
  float* y;
  int64_t ldy;
  float low = -INFINITY, high = INFINITY;
};

class LinearStep final : public Step {
 public:
  LinearStep(const Kernels& kernels, std::vector<Product> products, const void* x)
      : kernels_(kernels), products_(std::move(products)), x_(x) {
    for (const auto& product : products_) {
      tiles_.push_back((product.weight.rows + kernels_.lanes - 1) / kernels_.lanes);
      all_tiles_ += tiles_.back();
    }
  }
  const char* name() const override { return "linear"; }
  bool reads_weights() const override { return true; }
  Bytes first_weights(int thread, int num_threads) const override;
  void set_successor(const Step* step) override { successor_ = dynamic_cast<const LinearStep*>(step); }
  int64_t num_tasks(const Pass& pass, int) const override { return pass.count ? all_tiles_ : 0; }
  void run(const Pass& pass, int num_threads, Claim claim, Thread& thread) const override;
  int64_t scratch_bytes() const override;

 private:
  struct Place {
    const Product* product;
    int64_t tile;
  };
  Place place(int64_t task) const;
  void clamp(const Product& product, int64_t tile, int64_t num_tiles, int64_t count, float* y) const;
  const uint8_t* address(int64_t task) const;
  const uint8_t* ahead(int64_t task, Claim claim, int num_threads, int thread) const;

  const Kernels& kernels_;
  std::vector<Product> products_;
  std::vector<int64_t> tiles_;
  int64_t all_tiles_ = 0;
  const void* x_;
  const LinearStep* successor_ = nullptr;
};

}  // namespace gemma4
