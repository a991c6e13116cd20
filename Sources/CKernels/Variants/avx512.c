// The same source for CPUs with AVX-512.

#if defined(__x86_64__)

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,f16c"))), apply_to = function)

#include "../Math/lanes.h"

// Pairs of columns: the sum of two products in each 32-bit lane, which cannot overflow.
INLINE void quantized_sum(const int8_t *panel, size_t pairs, const int16_t *x, int tokens,
                          int_lanes *sums) {
    __m512i all_rows[4];
    for (int t = 0; t < tokens; t++) all_rows[t] = _mm512_setzero_si512();
    for (size_t k = 0; k < pairs; k++) {
        __m512i weights = _mm512_cvtepi8_epi16(
            _mm256_loadu_si256((const __m256i *)(panel + k * 2 * LANES)));
        for (int t = 0; t < tokens; t++) {
            int32_t pair;
            memcpy(&pair, x + t * 2 * pairs + 2 * k, sizeof pair);
            __m512i products = _mm512_madd_epi16(_mm512_set1_epi32(pair), weights);
            all_rows[t] = _mm512_add_epi32(all_rows[t], products);
        }
    }
    for (int t = 0; t < tokens; t++) memcpy(sums + t, &all_rows[t], sizeof all_rows[t]);
}

// 16 codes of 4 bits, the first of a byte low, looked up.
INLINE lanes nibble_values(const char *codes, const float *table) {
    __m128i bytes = _mm_loadl_epi64((const __m128i *)codes), mask = _mm_set1_epi8(15);
    __m128i nibbles = _mm_unpacklo_epi8(_mm_and_si128(bytes, mask),
                                        _mm_and_si128(_mm_srli_epi16(bytes, 4), mask));
    __m512 found =
        _mm512_permutexvar_ps(_mm512_cvtepu8_epi32(nibbles), _mm512_loadu_ps(table));
    lanes values;
    memcpy(&values, &found, sizeof values);
    return values;
}

#define NIBBLE_VALUES nibble_values
#define QUANTIZED_SUM quantized_sum
#include "../Products/quantized_body.h"

#define VARIANT cambium_avx512
#define VARIANT_NAME "avx512"
#define ROW_TOKENS 4
#include "variant_body.h"

// Twice the registers of twice the size.
#define TILE_ROWS 12
#define TRAINING cambium_training_avx512
#include "../Training/training_body.h"

#pragma clang attribute pop

#else
typedef int cambium_no_avx512;
#endif
