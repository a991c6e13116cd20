// The same source for CPUs with AVX2 and FMA.

#if defined(__x86_64__)

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

// 8 halves as floats: exact.
static inline __attribute__((always_inline)) __m256 half_vector(const char *halves) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)halves));
}

#define HALF_LANES(halves)                                                                      \
    ((lanes)__builtin_shufflevector(half_vector(halves), half_vector((halves) + 16), 0, 1, 2, 3, \
                                    4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
#define HALF_VALUE(half) _cvtsh_ss(half)
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

// 16 codes of 4 bits, the first of a byte low, looked up: byte l / 2 goes to lane l; the lower three bits are looked up in
// two halves of the table, the fourth chooses between them.
INLINE lanes nibble_values(const char *codes, lanes table) {
    int64_t bytes;
    memcpy(&bytes, codes, sizeof bytes);
    const __m256i places = _mm256_set_epi32(3, 3, 2, 2, 1, 1, 0, 0);
    const __m256i shifts = _mm256_set_epi32(4, 0, 4, 0, 4, 0, 4, 0);
    __m256 halves[2];
    memcpy(halves, &table, sizeof halves);
    for (int half = 0; half < 2; half++) {
        __m256i four = _mm256_set1_epi32((int32_t)(bytes >> 32 * half));
        __m256i indexes = _mm256_srlv_epi32(_mm256_shuffle_epi8(four, places), shifts);
        __m256 found = _mm256_blendv_ps(_mm256_permutevar8x32_ps(halves[0], indexes),
                                        _mm256_permutevar8x32_ps(halves[1], indexes),
                                        _mm256_castsi256_ps(_mm256_slli_epi32(indexes, 28)));
        memcpy((char *)&table + half * sizeof found, &found, sizeof found);
    }
    return table;
}

// The lower or the upper 4 bits of 16 bytes, looked up.
INLINE lanes half_nibbles(const char *codes, int is_high, lanes table) {
    __m256 halves[2];
    memcpy(halves, &table, sizeof halves);
    for (int half = 0; half < 2; half++) {
        __m256i indexes = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(codes + 8 * half)));
        if (is_high) indexes = _mm256_srli_epi32(indexes, 4);
        __m256 found = _mm256_blendv_ps(_mm256_permutevar8x32_ps(halves[0], indexes),
                                        _mm256_permutevar8x32_ps(halves[1], indexes),
                                        _mm256_castsi256_ps(_mm256_slli_epi32(indexes, 28)));
        memcpy((char *)&table + half * sizeof found, &found, sizeof found);
    }
    return table;
}

#define NIBBLE_VALUES nibble_values
#define HALF_NIBBLES half_nibbles
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
