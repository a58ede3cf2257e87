// Kernels for every 64-bit ARM processor, the dot product made of multiplications; empty elsewhere, and where the
// compiler takes the dot product for granted.
#include "kernels.h"

#if defined(__aarch64__) && defined(__ARM_NEON) && !defined(__ARM_FEATURE_DOTPROD)
#define GEMMA4_SIMD neon_2011
#include "simd/neon.h"
#include "kernels_body.h"
namespace gemma4 {
const Kernels* neon_2011_kernels() { return &neon_2011::kKernels; }
}  // namespace gemma4
#else
namespace gemma4 {
const Kernels* neon_2011_kernels() { return nullptr; }
}  // namespace gemma4
#endif
