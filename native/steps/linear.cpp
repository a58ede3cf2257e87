#include "steps/linear.h"

#include <algorithm>

namespace gemma4 {

namespace {
// How far before their use weights are fetched: a tile at least, and more of small ones.
constexpr int64_t kLeadBytes = 16384;
}  // namespace

int64_t LinearStep::scratch_bytes() const {
  int64_t most = 0;
  for (const auto& p : products_) most = std::max(most, kernels_.scratch_bytes(p.weight.columns, p.weight.format));
  return most;
}

LinearStep::Place LinearStep::place(int64_t task) const {
  size_t i = 0;
  while (i + 1 < products_.size() && task >= tiles_[i]) task -= tiles_[i++];
  return {&products_[i], std::min(task, tiles_[i] - 1)};
}

const uint8_t* LinearStep::address(int64_t task) const {
  const Place at = place(task);
  return at.product->weight.data + at.tile * kernels_.lanes * at.product->weight.row_bytes;
}

Bytes LinearStep::first_weights(int thread, int num_threads) const {
  const Split split = this->split(all_tiles_, num_threads);
  if (!split.has(thread)) return {nullptr, nullptr};
  const int64_t first = split.begin(thread), piece = split.begin(thread + 1) - first;
  const Matrix& weight = place(first).product->weight;
  const int64_t left = weight.data + weight.rows * weight.row_bytes - address(first);
  return {address(first), address(first) + std::min(left, piece * kernels_.lanes * weight.row_bytes)};
}

// The tile that this thread comes to a little after `task`: in this piece, in its next one, or in the next step.
const uint8_t* LinearStep::ahead(int64_t task, Claim claim, int num_threads, int thread) const {
  const int64_t tile_bytes = kernels_.lanes * place(task).product->weight.row_bytes;
  const int64_t later = task + 1 + kLeadBytes / tile_bytes;
  if (later < claim.end) return address(later);
  if (claim.next >= 0) return address(claim.next + later - claim.end);
  if (!successor_) return address(task);
  const int64_t first = successor_->split(successor_->all_tiles_, num_threads).begin(thread);
  return successor_->address(first + later - claim.end);
}

// Whole tiles, and then the one that reaches back where rows are no multiple of the lanes: it meets what lies in its
// bounds already.
void LinearStep::clamp(const Product& product, int64_t tile, int64_t num_tiles, int64_t count, float* y) const {
  if (product.low == -INFINITY && product.high == INFINITY) return;
  const int64_t lanes = kernels_.lanes, rows = product.weight.rows, row = tile * lanes;
  const int64_t end = std::min(row + num_tiles * lanes, rows), whole = (end - row) / lanes * lanes;
  const auto columns = [&](int64_t from, int64_t width) {
    kernels_.clamp(y + from, count, product.ldy, width, product.low, product.high);
  };
  columns(row, whole);
  if (row + whole < end) columns(end - lanes, lanes);
}

void LinearStep::run(const Pass& pass, int num_threads, Claim claim, Thread& thread) const {
  for (int64_t task = claim.begin; task < claim.end;) {
    const Place at = place(task);
    const Matrix& weight = at.product->weight;
    const int64_t most = pass.count > kPanel ? kernels_.tiles_together(weight.columns, weight.format) : 1;
    const int64_t num_tiles = std::min({most, claim.end - task, (weight.rows - 1) / kernels_.lanes + 1 - at.tile});
    task += num_tiles;
    float* y = at.product->y ? at.product->y : pass.out;
    kernels_.multiply(weight, at.tile, num_tiles, x_, pass.count, y, at.product->ldy,
                      ahead(task - 1, claim, num_threads, thread.number), thread.scratch);
    clamp(*at.product, at.tile, num_tiles, pass.count, y);
  }
}

}  // namespace gemma4
