// Kernels in plain C++: always there, and what the others are checked against.
#define GEMMA4_INLINE inline  // the compiler's choice: scalar code put into each other takes it a minute
#define GEMMA4_INLINED
#include "kernels.h"

#define GEMMA4_SIMD portable
#include "simd/portable.h"
#include "kernels_body.h"
namespace gemma4 {
const Kernels* portable_kernels() { return &portable::kKernels; }
}  // namespace gemma4
