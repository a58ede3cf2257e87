// Kernels are many small functions; a compiler that leaves one out of line in an inner loop halves its speed.
#pragma once

#ifndef GEMMA4_INLINE
#define GEMMA4_INLINE inline __attribute__((always_inline))
#define GEMMA4_INLINED __attribute__((always_inline))  // of a lambda, behind its parameters
#endif
