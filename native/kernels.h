// The functions that every instruction set has its own version of; steps call them through this table.
#pragma once

#include "attention/pages.h"
#include "linear/matrix.h"
#include "tower/tower.h"

namespace gemma4 {

struct Kernels {
  const char* name;
  int lanes;  // rows of a weight in a tile; widths are multiples of it
  int tiles_at_once;  // of a product of plain numbers
  int64_t (*scratch_bytes)(int64_t columns, Format format);
  int64_t (*tiles_together)(int64_t columns, Format format);
  void (*multiply)(const Matrix&, int64_t tile, int64_t num_tiles, const void* x, int64_t count, float* y, int64_t ldy,
                   const uint8_t* ahead, void* scratch);
  void (*pack)(const float* x, int64_t from, int64_t to, int64_t columns, Packing, int64_t t, int64_t count, void* out);
  float (*inverse_rms)(const float* x, int64_t width, float eps);
  void (*scale)(const float* x, float factor, const float* weight, int64_t width, float* out);
  void (*rms_norm)(const float* x, const float* weight, int64_t width, float eps, float* out);
  void (*add_norm)(float* x, const float* y, const float* weight, int64_t width, float eps, float scale);
  void (*gelu_gate)(const float* gate, const float* up, int64_t width, float* out);
  void (*softcap)(float* x, int64_t width, float cap);
  void (*rotate)(float* x, const float* cos, const float* sin, int64_t width);
  void (*write_page)(const float* key, const float* value, const PageLayer&, int64_t page, int64_t head, int64_t slot,
                     void* scratch);
  void (*attend)(const AttentionTile&, float* scratch);
  void (*clamp)(float* x, int64_t count, int64_t ld, int64_t width, float low, float high);
  void (*sigmoid_gate)(const float* x, const float* gate, int64_t width, float* out);
  void (*convolve)(const float* x, int64_t rows, const float* weight, int64_t taps, int64_t width, float* out);
  void (*round_row)(const float* x, int64_t width, uint16_t* out);
  void (*pack_rounded)(const uint16_t* rows, int64_t ld, int64_t first, int64_t num_rows, int64_t columns, int64_t count,
                       void* out);
  void (*attend_local)(const LocalRow&, float* scratch);
  int64_t (*patch_scratch_bytes)(int64_t width);
  void (*place_heads)(const PatchHeads&, int64_t t, int64_t count, float* head);
  void (*attend_patches)(const PatchHeads&, int64_t head, int64_t tile, int64_t count, void* scratch);
};

const Kernels* avx512_kernels();      // null where not compiled in
const Kernels* avx512_fp32_kernels();
const Kernels* avxvnni_kernels();
const Kernels* avx2_kernels();
const Kernels* neon_kernels();
const Kernels* neon_2011_kernels();
const Kernels* portable_kernels();    // always there

}  // namespace gemma4
