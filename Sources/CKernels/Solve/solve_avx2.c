// The same source for CPUs with AVX2; without FMA, which rounds once where the reference rounds
// twice.

#if defined(__x86_64__)

#include <stddef.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)

#define VARIANT cambium_solve_avx2
#define VARIANT_NAME "avx2"
#include "solve_body.h"

#pragma clang attribute pop

#else
typedef int cambium_no_solve_avx2;
#endif
