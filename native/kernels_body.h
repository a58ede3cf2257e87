// Everything that is compiled once for each instruction set. The including file defines GEMMA4_SIMD, the namespace
// of the lanes.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "kernels.h"

namespace gemma4::GEMMA4_SIMD {
namespace {

#include "linear/blocks.h"
#include "linear/dot.h"
#include "linear/plain.h"
#include "linear/multiply.h"
#include "linear/pack.h"
#include "rows/math.h"
#include "rows/norm.h"
#include "attention/attend.h"
#include "attention/write.h"
#include "tower/rows.h"
#include "tower/patches.h"

}  // namespace

constexpr Kernels kKernels = {
    kName,  kLanes, kTilesAtOnce, scratch_bytes, tiles_together, multiply, pack, inverse_rms, scale, rms_norm,
    add_norm, gelu_gate, softcap, rotate, write_page, attend,
    clamp, sigmoid_gate, convolve, round_row, pack_rounded, attend_local, patch_scratch_bytes, place_heads, attend_patches,
};

}  // namespace gemma4::GEMMA4_SIMD
