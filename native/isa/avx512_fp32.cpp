// Kernels for AVX-512 with VNNI but without BF16, as of 2019: bfloat16 weights are multiplied as float32. Empty where
// the compiler does not build for them.
#include "kernels.h"

#if defined(__AVX512VNNI__) && defined(__AVX512BW__) && !defined(__AVX512BF16__)
#define GEMMA4_SIMD avx512_fp32
#include "simd/avx512.h"
#include "kernels_body.h"
namespace gemma4 {
const Kernels* avx512_fp32_kernels() { return &avx512_fp32::kKernels; }
}  // namespace gemma4
#else
namespace gemma4 {
const Kernels* avx512_fp32_kernels() { return nullptr; }
}  // namespace gemma4
#endif
