// Kernels for AVX-512 with VNNI and BF16; empty where the compiler does not build for them.
#include "kernels.h"

#if defined(__AVX512VNNI__) && defined(__AVX512BF16__) && defined(__AVX512BW__)
#define GEMMA4_SIMD avx512
#include "simd/avx512.h"
#include "kernels_body.h"
namespace gemma4 {
const Kernels* avx512_kernels() { return &avx512::kKernels; }
}  // namespace gemma4
#else
namespace gemma4 {
const Kernels* avx512_kernels() { return nullptr; }
}  // namespace gemma4
#endif
