// The reference: what the compiler makes of the source for any CPU of the architecture.

#pragma STDC FP_CONTRACT OFF

#include "../Math/lanes.h"

INLINE void quantized_sum(const int8_t *panel, size_t pairs, const int16_t *x, int tokens,
                          int_lanes *sums) {
    for (int t = 0; t < tokens; t++) {
        int_lanes sum = {0};
        for (size_t k = 0; k < 2 * pairs; k++) {
            for (size_t r = 0; r < LANES; r++) {
                sum[r] += x[t * 2 * pairs + k] * panel[((k / 2) * LANES + r) * 2 + k % 2];
            }
        }
        sums[t] = sum;
    }
}

// 16 codes of 4 bits, the first of a byte low, looked up.
INLINE lanes nibble_values(const char *codes, lanes table) {
    lanes values;
    for (size_t l = 0; l < LANES; l++) values[l] = table[(uint8_t)codes[l / 2] >> 4 * (l % 2) & 15];
    return values;
}

// The lower or the upper 4 bits of 16 bytes, looked up.
INLINE lanes half_nibbles(const char *codes, int is_high, lanes table) {
    lanes values;
    for (size_t l = 0; l < LANES; l++) values[l] = table[(uint8_t)codes[l] >> (is_high ? 4 : 0) & 15];
    return values;
}

#define NIBBLE_VALUES nibble_values
#define HALF_NIBBLES half_nibbles
#define QUANTIZED_SUM quantized_sum
#include "../Products/quantized_body.h"

#define VARIANT cambium_scalar
#define VARIANT_NAME "scalar"
#define ROW_TOKENS 1
#include "variant_body.h"

#define TRAINING cambium_training_scalar
#include "../Training/training_body.h"
