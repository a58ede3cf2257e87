// Kernels for 64-bit ARM with the dot product; empty where the compiler does not build for it.
#include "kernels.h"

#if defined(__aarch64__) && defined(__ARM_NEON) && defined(__ARM_FEATURE_DOTPROD)
#define GEMMA4_SIMD neon
#include "simd/neon.h"
#include "kernels_body.h"
namespace gemma4 {
const Kernels* neon_kernels() { return &neon::kKernels; }
}  // namespace gemma4
#else
namespace gemma4 {
const Kernels* neon_kernels() { return nullptr; }
}  // namespace gemma4
#endif
