// The same source for CPUs with AVX512; without FMA, which rounds once where the reference rounds
// twice.

#if defined(__x86_64__)

#include <stddef.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw"))), apply_to = function)

#define VARIANT cambium_solve_avx512
#define VARIANT_NAME "avx512"
#include "solve_body.h"

#pragma clang attribute pop

#else
typedef int cambium_no_solve_avx512;
#endif
