// The same source for CPUs with AVX2 and FMA.

#if defined(__x86_64__)

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#include "../Math/lanes.h"

// Pairs of columns: the sum of two products in each 32-bit lane, which cannot overflow.
INLINE void quantized_sum(const int8_t *panel, size_t pairs, const int16_t *x, int tokens,
                          int_lanes *sums) {
    __m256i low[4], high[4];
    for (int t = 0; t < tokens; t++) low[t] = high[t] = _mm256_setzero_si256();
    for (size_t k = 0; k < pairs; k++) {
        const __m128i *weights = (const __m128i *)(panel + k * 2 * LANES);
        __m256i first = _mm256_cvtepi8_epi16(_mm_loadu_si128(weights));
        __m256i second = _mm256_cvtepi8_epi16(_mm_loadu_si128(weights + 1));
        for (int t = 0; t < tokens; t++) {
            int32_t pair;
            memcpy(&pair, x + t * 2 * pairs + 2 * k, sizeof pair);
            __m256i value = _mm256_set1_epi32(pair);
            low[t] = _mm256_add_epi32(low[t], _mm256_madd_epi16(value, first));
            high[t] = _mm256_add_epi32(high[t], _mm256_madd_epi16(value, second));
        }
    }
    for (int t = 0; t < tokens; t++) {
        memcpy(sums + t, &low[t], sizeof low[t]);
        memcpy((char *)(sums + t) + sizeof low[t], &high[t], sizeof high[t]);
    }
}

#define QUANTIZED_SUM quantized_sum
#include "../Products/quantized_body.h"

#define VARIANT cambium_avx2
#define VARIANT_NAME "avx2"
#define ROW_TOKENS 1
#include "variant_body.h"

#define TRAINING cambium_training_avx2
#include "../Training/training_body.h"

#pragma clang attribute pop

#else
typedef int cambium_no_avx2;
#endif
