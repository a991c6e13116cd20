// Codes of floats in blocks of 32 with a scale each: the numbers of GGUF's Q8_0 and Q4_0, as the plain C of
// ggml gives them (ggml-quants.c, quantize_row_q8_0_ref and quantize_row_q4_0_ref, without contracted products).

#pragma STDC FP_CONTRACT OFF

#include "cambium_codes.h"

#include <string.h>

enum { BLOCK = 32 };

// The nearest F16, ties to even; infinity beyond its numbers.
static uint16_t half_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    uint32_t size = bits & 0x7fffffff;
    if (size >= 0x47800000) return sign | 0x7c00;
    // The carry of rounding goes into the exponent, and from the last one to infinity.
    if (size >= 0x38800000) return sign | (uint16_t)((size - 0x38000000 + 0xfff + (size >> 13 & 1)) >> 13);
    float magnitude;
    memcpy(&magnitude, &size, sizeof magnitude);
    // The last bit of 2^23 and more is 1.
    return sign | (uint16_t)(magnitude * 0x1p24f + 0x1p23f - 0x1p23f);
}

// The place of the first of the elements that are farthest from 0.
static size_t farthest(const uint32_t *bits) {
    uint32_t greatest = 0;
    for (size_t i = 0; i < BLOCK; i++) {
        uint32_t size = bits[i] & 0x7fffffff;
        greatest = size > greatest ? size : greatest;
    }
    size_t place = 0;
    while ((bits[place] & 0x7fffffff) != greatest) place++;
    return place;
}

// To the nearest, halves away from 0.
static int8_t rounded(float value) {
    float size = value < 0 ? -value : value;
    int whole = (int)size;
    whole += size - (float)whole >= 0.5f;
    return (int8_t)(value < 0 ? -whole : whole);
}

static void encode_q8(const float *values, float factor, uint8_t *codes) {
    for (size_t i = 0; i < BLOCK; i++) codes[i] = (uint8_t)rounded(values[i] * factor);
}

static void encode_q4(const float *values, float factor, uint8_t *codes) {
    uint8_t numbers[BLOCK];
    for (size_t i = 0; i < BLOCK; i++) {
        int number = (int)(values[i] * factor + 8.5f);
        numbers[i] = (uint8_t)(number > 15 ? 15 : number);
    }
    for (size_t i = 0; i < BLOCK / 2; i++) {
        codes[i] = (uint8_t)(numbers[i] | numbers[i + BLOCK / 2] << 4);
    }
}

size_t cambium_encode_blocks(const float *values, size_t blocks, enum cambium_weight_code code, void *codes,
                             void *scales) {
    size_t size = code == CAMBIUM_INT8 ? BLOCK : BLOCK / 2;
    for (size_t b = 0; b < blocks; b++) {
        uint32_t bits[BLOCK];
        memcpy(bits, values + b * BLOCK, sizeof bits);
        size_t place = farthest(bits);
        float greatest = values[b * BLOCK + place];
        float size_of_it = greatest < 0 ? -greatest : greatest;
        float scale = code == CAMBIUM_INT8 ? size_of_it / 127 : greatest / -8;
        uint16_t half = half_of(scale);
        if ((bits[place] & 0x7f800000) == 0x7f800000 || (half & 0x7c00) == 0x7c00) return b;
        // Of the least numbers there are, 1 / scale is infinite; as F16 the scale is 0 then.
        float factor = (half & 0x7fff) == 0 && size_of_it < 0x1p-100f ? 0 : 1 / scale;
        uint8_t *target = (uint8_t *)codes + b * size;
        if (code == CAMBIUM_INT8) {
            encode_q8(values + b * BLOCK, factor, target);
        } else {
            encode_q4(values + b * BLOCK, factor, target);
        }
        memcpy((char *)scales + b * sizeof half, &half, sizeof half);
    }
    return blocks;
}
