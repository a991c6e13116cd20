// The same source for CPUs with AVX2. FMA is left out on purpose: it rounds once where the
// reference rounds twice, and would change the bits.

#if defined(__x86_64__)

#include "include/cambium_variants.h"

#include <string.h>

#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)

#define VARIANT cambium_avx2
#define VARIANT_NAME "avx2"
#include "variant_body.h"

#pragma clang attribute pop

#else
typedef int cambium_no_avx2;
#endif
