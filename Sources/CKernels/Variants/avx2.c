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

// 16 codes of 4 bits, the first of a byte low, looked up: the lower three bits in two halves of the table, the
// fourth chooses between them.
INLINE lanes nibble_values(const char *codes, const float *table) {
    __m128i bytes = _mm_loadl_epi64((const __m128i *)codes), mask = _mm_set1_epi8(15);
    __m128i nibbles = _mm_unpacklo_epi8(_mm_and_si128(bytes, mask),
                                        _mm_and_si128(_mm_srli_epi16(bytes, 4), mask));
    __m256 low = _mm256_loadu_ps(table), high = _mm256_loadu_ps(table + 8);
    lanes values;
    for (int half = 0; half < 2; half++) {
        __m256i indexes = _mm256_cvtepu8_epi32(half ? _mm_srli_si128(nibbles, 8) : nibbles);
        __m256 found = _mm256_blendv_ps(_mm256_permutevar8x32_ps(low, indexes),
                                        _mm256_permutevar8x32_ps(high, indexes),
                                        _mm256_castsi256_ps(_mm256_slli_epi32(indexes, 28)));
        memcpy((char *)&values + half * sizeof found, &found, sizeof found);
    }
    return values;
}

#define NIBBLE_VALUES nibble_values
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
