// Kernels for AVX2 with FMA and F16C; empty where the compiler does not build for them.
#include "kernels.h"

#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#define GEMMA4_SIMD avx2
#include "simd/avx2.h"
#include "kernels_body.h"
namespace gemma4 {
const Kernels* avx2_kernels() { return &avx2::kKernels; }
}  // namespace gemma4
#else
namespace gemma4 {
const Kernels* avx2_kernels() { return nullptr; }
}  // namespace gemma4
#endif
