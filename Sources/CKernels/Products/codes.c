// What a code stands for, element by element: the reference of the products with codes.

#pragma STDC FP_CONTRACT OFF

#include "../Math/codes.h"

static float e4m3_value(unsigned code) {
    unsigned exponent = code >> 3 & 15, fraction = code & 7;
    float value;
    if (exponent == 15 && fraction == 7) {
        value = __builtin_nanf("");
    } else if (exponent == 0) {
        value = (float)fraction * 0x1p-9f;
    } else {
        value = (float)(8 + fraction) * 0x1p-10f * (float)(1u << exponent);
    }
    return code & 0x80 ? -value : value;
}

static float e2m1_value(unsigned code) {
    static const float sizes[8] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
    return code & 8 ? -sizes[code & 7] : sizes[code & 7];
}

void cambium_coded_values(const struct cambium_coded_rows *matrix, size_t row, size_t first, size_t count,
                          float *out) {
    const unsigned char *codes = matrix->codes;
    for (size_t i = 0; i < count; i++) {
        size_t column = first + i, at = row * matrix->width + column;
        int is_byte = matrix->code == CAMBIUM_E4M3 || matrix->code == CAMBIUM_INT8;
        unsigned nibble = codes[is_byte ? at : at / 2] >> 4 * (at % 2) & 15;
        if (matrix->code == CAMBIUM_INT4_HALVES) {
            nibble = codes[at / 32 * 16 + at % 16] >> (at % 32 < 16 ? 0 : 4) & 15;
        }
        float value = 0;
        switch (matrix->code) {
        case CAMBIUM_E4M3: value = e4m3_value(codes[at]); break;
        case CAMBIUM_E2M1: value = e2m1_value(nibble); break;
        case CAMBIUM_INT4:
        case CAMBIUM_INT4_HALVES: value = (float)nibble - 8; break;
        case CAMBIUM_INT8: value = (float)(int8_t)codes[at]; break;
        }
        size_t place = scales_of_row(matrix, row) + column / matrix->scale_width;
        out[i] = value * coded_scale(matrix->scales, place, matrix->scale);
    }
}

// The code of an output among the 8 of a word, which is `more` than it is stored.
static unsigned word_code(const void *words, size_t word, size_t output, enum cambium_column_order order,
                          uint32_t more) {
    static const unsigned char places[8] = {0, 4, 1, 5, 2, 6, 3, 7};
    uint32_t value;
    memcpy(&value, (const char *)words + 4 * word, sizeof value);
    value += more;
    return value >> 4 * (order == CAMBIUM_AWQ ? places[output % 8] : output % 8) & 15;
}

void cambium_column_values(const struct cambium_column_codes *matrix, size_t output, size_t first, size_t count,
                           float *out) {
    for (size_t i = 0; i < count; i++) {
        size_t input = first + i, group = input / matrix->group, words = matrix->outputs / 8;
        unsigned code;
        if (matrix->order == CAMBIUM_AWQ) {
            code = word_code(matrix->codes, input * words + output / 8, output, CAMBIUM_AWQ, 0);
        } else {
            code = word_code(matrix->codes, input / 8 * matrix->outputs + output, input, CAMBIUM_GPTQ, 0);
        }
        int zero = (int)word_code(matrix->zeros, group * words + output / 8, output, matrix->order,
                                  (uint32_t)matrix->zero_step * 0x11111111);
        float scale = coded_scale(matrix->scales, group * matrix->outputs + output, matrix->scale);
        out[i] = (float)((int)code - zero) * scale;
    }
}
