// Keys and values in pages, as model/paged_kv.py lays them out: keys [pages, L, K, H, 32], values [pages, L, K, 32, H].
#pragma once

#include <cstdint>

namespace gemma4 {

constexpr int kPage = 32;  // positions
constexpr int kTileRows = 8;  // query rows that read a page together

enum class Stored : int32_t { F32, F16, BF16, I8 };

// One layer's share of the pages of its group. Owns nothing.
struct PageLayer {
  void* keys;
  void* values;
  float* key_scales;  // null unless I8
  float* value_scales;
  int64_t page_step;  // heads from a page to the next: L · K
  int64_t row_step;   // heads before this layer's: row · K
  int64_t width;      // H
  Stored stored;
};

// Query rows of one request that share a key head. Row r sees positions [low[r], high[r]).
struct AttentionTile {
  const PageLayer* layer;
  const int32_t* table;  // the request's pages by block of 32 positions
  int64_t head;
  int num_rows;
  const float* query[kTileRows];  // [H] each, scaled
  float* out[kTileRows];
  int low[kTileRows];
  int high[kTileRows];
};

}  // namespace gemma4
