// What the towers' kernels work on. Letters: P patches, N query heads, K kv heads, H head width. Owns nothing.
#pragma once

#include <cstdint>

namespace gemma4 {

// Attention in which every patch sees every other. Products are of bfloat16 pairs: two neighbours of a head, or one
// column of two neighbouring patches. The heads lie one after the other in `queries`, `keys` and `values`.
struct PatchHeads {
  int64_t num_heads, num_kv_heads, width;  // H: a multiple of 8
  const float* query;                      // [P, N, H], the patches ld_query apart
  int64_t ld_query;
  const float* key;                        // [P, K, H], the patches ld_key apart
  const float* value;
  int64_t ld_key;
  const float* query_norm;  // [H]
  const float* key_norm;
  float eps;
  const float* cos;  // [P, 2, H / 4]: a quarter of a head's pairs for x, a quarter for y
  const float* sin;
  uint32_t* queries;  // tiles of as many patches as there are lanes: [H / 2][lanes]
  uint32_t* keys;     // panels of up to kPanel patches: [H / 2][patches of the panel]
  uint32_t* values;   // panels of 8 columns: [⌈P / 2⌉][8]
  float* out;         // [P, N, H]

  int64_t query_words(int64_t count, int64_t lanes) const { return (count + lanes - 1) / lanes * lanes * (width / 2); }
  int64_t key_words(int64_t count) const { return count * (width / 2); }
  int64_t value_words(int64_t count) const { return (count + 1) / 2 * width; }
};

constexpr int kRowsTogether = 16;  // that pack_rounded takes: whole panels

// One query row of local attention: it sees keys 0 … seen − 1 places before its own.
constexpr int kMostSeen = 64;
struct LocalRow {
  const float* query;   // [H], and what each of its numbers is multiplied with
  const float* scales;  // [H]
  const float* key;     // the row's own; earlier ones lie ld before
  const float* value;
  int64_t ld;
  const float* distances;  // [H] of the distances 0, 1 …, ld_distances apart
  int64_t ld_distances;
  int seen;
  int64_t width;  // H
  float key_scale, cap;
  float* out;  // [H]
};

}  // namespace gemma4
