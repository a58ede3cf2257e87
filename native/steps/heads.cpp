#include "steps/heads.h"

#include <cmath>

namespace gemma4 {

namespace {
int64_t pieces(int64_t total, int64_t size) { return (total + size - 1) / size; }
}  // namespace

// A tile of at most `rows` query rows: several heads of a token, or all heads of several tokens.
AttendStep::Shape AttendStep::shape(int rows) const {
  const int64_t shared = a_.num_heads / a_.num_kv_heads;
  if (shared >= rows) return {1, rows};
  return {std::max<int64_t>(1, rows / shared), shared};
}

int64_t AttendStep::tasks_with(const Pass& pass, Shape shape) const {
  const int64_t shared = a_.num_heads / a_.num_kv_heads;
  int64_t total = 0;
  for (const auto& run : pass.runs) total += pieces(run.count, shape.tokens);
  return total * a_.num_kv_heads * pieces(shared, shape.heads);
}

// Tiles as tall as a page's numbers are best used for, but no taller than leaves every thread some.
AttendStep::Shape AttendStep::choose(const Pass& pass, int num_threads) const {
  int rows = kTileRows;
  while (rows > 1 && tasks_with(pass, shape(rows)) < num_threads) rows /= 2;
  return shape(rows);
}

int64_t AttendStep::num_tasks(const Pass& pass, int num_threads) const {
  return tasks_with(pass, choose(pass, num_threads));
}

void AttendStep::run(const Pass& pass, int num_threads, Claim claim, Thread& thread) const {
  const Shape tile = choose(pass, num_threads);
  const int64_t per_token_piece = a_.num_kv_heads * pieces(a_.num_heads / a_.num_kv_heads, tile.heads);
  for (int64_t task = claim.begin; task < claim.end; ++task) {
    int64_t left = task;
    for (const auto& run : pass.runs) {
      const int64_t tasks = pieces(run.count, tile.tokens) * per_token_piece;
      if (left < tasks) {
        attend(pass, run, tile, left, thread);
        break;
      }
      left -= tasks;
    }
  }
}

void AttendStep::attend(const Pass& pass, const TokenRun& run, Shape shape, int64_t task, Thread& thread) const {
  const int64_t shared = a_.num_heads / a_.num_kv_heads, head_pieces = pieces(shared, shape.heads);
  const int64_t head_piece = task % head_pieces, kv_head = task / head_pieces % a_.num_kv_heads;
  const int64_t first = run.first + task / head_pieces / a_.num_kv_heads * shape.tokens;
  const int64_t tokens = std::min(shape.tokens, run.first + run.count - first);
  const int64_t head = kv_head * shared + head_piece * shape.heads;
  const int64_t heads = std::min(shape.heads, shared - head_piece * shape.heads);
  AttentionTile tile;
  tile.layer = &a_.layer;
  tile.table = pass.tables[a_.group][run.request];
  tile.head = kv_head;
  tile.num_rows = static_cast<int>(tokens * heads);
  for (int64_t t = 0; t < tokens; ++t) {
    const int64_t position = pass.positions[first + t];
    const int64_t low = a_.window ? std::max<int64_t>(0, position - a_.window + 1) : 0;
    const int64_t end = a_.sees_spans && pass.span_ends ? pass.span_ends[first + t] : 0;
    for (int64_t h = 0; h < heads; ++h) {
      const int64_t row = t * heads + h, place = ((first + t) * a_.num_heads + head + h) * a_.width;
      tile.query[row] = a_.query + place;
      tile.out[row] = a_.out + place;
      tile.low[row] = static_cast<int>(low);
      tile.high[row] = static_cast<int>(std::max(position + 1, end));
    }
  }
  kernels_.attend(tile, static_cast<float*>(thread.scratch));
}

void RotationStep::row(const Pass& pass, int64_t t, Thread&) const {
  const float position = static_cast<float>(pass.positions[t]);
  for (int64_t i = 0; i < half_; ++i) {
    const float angle = position * frequencies_[i];
    cos_[t * half_ + i] = std::cos(angle);
    sin_[t * half_ + i] = std::sin(angle);
  }
}

}  // namespace gemma4
