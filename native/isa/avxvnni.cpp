// Kernels for AVX2 with AVX-VNNI; empty where the compiler does not build for them.
#include "kernels.h"

#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__) && defined(__AVXVNNI__)
#define GEMMA4_SIMD avxvnni
#include "simd/avx2.h"
#include "kernels_body.h"
namespace gemma4 {
const Kernels* avxvnni_kernels() { return &avxvnni::kKernels; }
}  // namespace gemma4
#else
namespace gemma4 {
const Kernels* avxvnni_kernels() { return nullptr; }
}  // namespace gemma4
#endif
