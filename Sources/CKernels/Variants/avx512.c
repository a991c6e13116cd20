// The same source for CPUs with AVX-512.

#if defined(__x86_64__)

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,f16c"))), apply_to = function)

// 16 halves as floats: exact.
static inline __attribute__((always_inline)) __m512 half_vector(const char *halves) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)halves));
}

#define HALF_LANES(halves) ((lanes)half_vector(halves))
#define HALF_VALUE(half) _cvtsh_ss(half)
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

// 16 codes of 4 bits, the first of a byte low, looked up: byte l / 2 goes to lane l, and the lookup ignores what is
// above 4 bits.
INLINE lanes nibble_values(const char *codes, lanes table) {
    int64_t bytes;
    memcpy(&bytes, codes, sizeof bytes);
    const __m512i places = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
    const __m512i shifts = _mm512_set_epi32(4, 0, 4, 0, 4, 0, 4, 0, 4, 0, 4, 0, 4, 0, 4, 0);
    __m512i nibbles =
        _mm512_srlv_epi32(_mm512_shuffle_epi8(_mm512_set1_epi64(bytes), places), shifts);
    __m512 values;
    memcpy(&values, &table, sizeof values);
    values = _mm512_permutexvar_ps(nibbles, values);
    memcpy(&table, &values, sizeof table);
    return table;
}

// The lower or the upper 4 bits of 16 bytes, looked up.
INLINE lanes half_nibbles(const char *codes, int is_high, lanes table) {
    __m512i bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)codes));
    if (is_high) bytes = _mm512_srli_epi32(bytes, 4);
    __m512 values;
    memcpy(&values, &table, sizeof values);
    values = _mm512_permutexvar_ps(bytes, values);
    memcpy(&table, &values, sizeof table);
    return table;
}

#define NIBBLE_VALUES nibble_values
#define HALF_NIBBLES half_nibbles
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
