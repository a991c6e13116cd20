// How matrices are laid out for products, and rows quantised.

#pragma STDC FP_CONTRACT OFF

#include "../Math/lanes.h"
#include "cambium_kernels.h"

#include <math.h>

void cambium_pack_panels(const float *w, size_t rows, size_t columns, float *packed) {
    for (size_t p = 0; p * LANES < rows; p++) {
        for (size_t l = 0; l < LANES; l++) {
            size_t r = p * LANES + l;
            for (size_t k = 0; k < columns; k++) {
                packed[(p * columns + k) * LANES + l] = r < rows ? w[r * columns + k] : 0;
            }
        }
    }
}

float cambium_quantize(const float *x, size_t count, int8_t *quantised) {
    float largest = 0;
    int finite = 1;
    for (size_t i = 0; i < count; i++) {
        float size = fabsf(x[i]);
        finite &= size <= 0x1.fffffep127f;
        largest = size > largest ? size : largest;
    }
    float scale = largest / 127.0f;
    if (!finite || scale == 0) {
        memset(quantised, 0, count);
        return finite ? 0.0f : __builtin_nanf("");
    }
    for (size_t i = 0; i < count; i++) {
        // A scale that is rounded down could give 127.00001 and more.
        float value = x[i] / scale;
        value = value > 127.0f ? 127.0f : value < -127.0f ? -127.0f : value;
        // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer, ties to even.
        quantised[i] = (int8_t)((value + 12582912.0f) - 12582912.0f);
    }
    return scale;
}

void cambium_pack_quantized(const int8_t *w, size_t rows, size_t columns, int8_t *packed) {
    size_t pairs = (columns + 1) / 2;
    for (size_t p = 0; p * LANES < rows; p++) {
        for (size_t k = 0; k < 2 * pairs; k++) {
            for (size_t l = 0; l < LANES; l++) {
                size_t r = p * LANES + l;
                packed[((p * pairs + k / 2) * LANES + l) * 2 + k % 2] =
                    r < rows && k < columns ? w[r * columns + k] : 0;
            }
        }
    }
}
