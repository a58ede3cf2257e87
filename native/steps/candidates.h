// The head of E2B's and E4B's drafters: the words are split into clusters, and only those of the best clusters are
// scored.
#pragma once

#include <algorithm>
#include <numeric>

#include "program/pass.h"
#include "steps/rows.h"

namespace gemma4 {

struct OrderedHead {
  Matrix table;                 // [V, D]
  const int64_t* ordering;      // [C, V / C], the words of each cluster
  int64_t num_clusters, top;    // C, and how many of them are looked at
  const float* cluster_scores;  // [T, C]
  const float* hidden;          // [T, D]
  int32_t* chosen;              // [T, top]
  float* scores;                // [T, top · V / C]

  int64_t size() const { return table.rows / num_clusters; }  // words of a cluster
};

// The clusters with the highest scores, best first.
class ChooseClustersStep final : public RowStep {
 public:
  ChooseClustersStep(const Kernels& kernels, OrderedHead head) : RowStep(kernels), head_(head) {}
  const char* name() const override { return "clusters"; }
  int64_t scratch_bytes() const override { return head_.num_clusters * 4; }

 protected:
  void row(const Pass&, int64_t t, Thread& thread) const override {
    const float* scores = head_.cluster_scores + t * head_.num_clusters;
    auto* order = static_cast<int32_t*>(thread.scratch);
    std::iota(order, order + head_.num_clusters, 0);
    std::partial_sort_copy(order, order + head_.num_clusters, head_.chosen + t * head_.top,
                           head_.chosen + (t + 1) * head_.top, [&](int32_t a, int32_t b) {
                             return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
                           });
  }

 private:
  OrderedHead head_;
};

// A task is one token with one of its clusters: its words' rows are put side by side and multiplied as any weight is.
class ScoreClusterStep final : public Step {
 public:
  ScoreClusterStep(const Kernels& kernels, OrderedHead head) : kernels_(kernels), head_(head) {}
  const char* name() const override { return "candidates"; }
  int64_t num_tasks(const Pass& pass, int) const override { return pass.count * head_.top; }
  int64_t scratch_bytes() const override { return packed_room() + head_.size() * head_.table.row_bytes; }
  void run(const Pass&, int, Claim claim, Thread& thread) const override {
    for (int64_t task = claim.begin; task < claim.end; ++task) score(task, thread);
  }

 private:
  int64_t packed_room() const {
    return (packed_bytes(packing_for(head_.table.format), head_.table.columns) + 63) / 64 * 64;
  }
  void score(int64_t task, Thread& thread) const {
    const int64_t t = task / head_.top, size = head_.size(), columns = head_.table.columns;
    const int64_t* words = head_.ordering + head_.chosen[task] * size;
    auto* packed = static_cast<uint8_t*>(thread.scratch);
    kernels_.pack(head_.hidden + t * columns, 0, columns, columns, packing_for(head_.table.format), 0, 1, packed);
    uint8_t* rows = packed + packed_room();
    const int64_t row_bytes = head_.table.row_bytes;
    for (int64_t i = 0; i < size; ++i) {
      const uint8_t* later = row_of(words[std::min(i + kAhead, size - 1)]);
      for (int64_t line = 0; line < row_bytes; line += 64) __builtin_prefetch(later + line);
      std::memcpy(rows + i * row_bytes, row_of(words[i]), static_cast<size_t>(row_bytes));
    }
    Matrix gathered = head_.table;
    gathered.data = rows;
    gathered.rows = size;
    for (int64_t tile = 0; tile * kernels_.lanes < size; ++tile) {
      kernels_.multiply(gathered, tile, 1, packed, 1, head_.scores + task * size, size, rows, nullptr);
    }
  }
  const uint8_t* row_of(int64_t word) const { return head_.table.data + word * head_.table.row_bytes; }

  static constexpr int64_t kAhead = 8;  // rows fetched before they are copied: they lie all over the table
  const Kernels& kernels_;
  OrderedHead head_;
};

// The pass's `out` [T, V]: the scores of the words looked at, and for all others the least of them less 1.
class SpreadScoresStep final : public RowStep {
 public:
  SpreadScoresStep(const Kernels& kernels, OrderedHead head) : RowStep(kernels), head_(head) {}
  const char* name() const override { return "candidates"; }

 protected:
  void row(const Pass& pass, int64_t t, Thread&) const override {
    const int64_t size = head_.size();
    const float* scores = head_.scores + t * head_.top * size;
    float* out = pass.out + t * head_.table.rows;
    std::fill_n(out, head_.table.rows, *std::min_element(scores, scores + head_.top * size) - 1.0f);
    for (int64_t j = 0; j < head_.top; ++j) {
      const int64_t* words = head_.ordering + head_.chosen[t * head_.top + j] * size;
      for (int64_t i = 0; i < size; ++i) out[words[i]] = scores[j * size + i];
    }
  }

 private:
  OrderedHead head_;
};

}  // namespace gemma4
