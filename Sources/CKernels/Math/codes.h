// The scales of matrices of codes.
#ifndef CAMBIUM_CODES_H
#define CAMBIUM_CODES_H

#include "cambium_codes.h"
#include "lanes.h"

// The place of the first scale of a row.
INLINE size_t scales_of_row(const struct cambium_coded_rows *matrix, size_t row) {
    size_t groups = (matrix->width + matrix->scale_width - 1) / matrix->scale_width;
    return row / matrix->scale_rows * groups;
}

// The scale at a place, as a float: exact.
INLINE float coded_scale(const char *scales, size_t place, enum cambium_scale_type type) {
    switch (type) {
    case CAMBIUM_SCALE_F32: return row_value(scales, place, ROW_F32);
    case CAMBIUM_SCALE_BF16: return row_value(scales, place, ROW_BF16);
    case CAMBIUM_SCALE_F16: return row_value(scales, place, ROW_F16);
    case CAMBIUM_SCALE_E8M0: break;
    }
    uint32_t exponent = (uint8_t)scales[place];
    // 2^-127 is subnormal, and 255 stands for NaN.
    uint32_t bits = exponent == 0     ? 0x00400000
                    : exponent == 255 ? 0x7fc00000
                                      : exponent << 23;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return scale;
}

// Up to 16 adjacent scales, as coded_scale gives them, somewhere in 16 numbers: those before a row's are read along
// where there are fewer.
INLINE const float *coded_scales(const char *scales, size_t place, size_t count, enum cambium_scale_type type,
                                 float *found) {
    if (place + count < LANES) {
        for (size_t i = 0; i < count; i++) found[i] = coded_scale(scales, place + i, type);
        return found;
    }
    lanes values;
    size_t first = place + count - LANES;
    switch (type) {
    case CAMBIUM_SCALE_F32: values = row_lanes(scales, first, ROW_F32); break;
    case CAMBIUM_SCALE_BF16: values = row_lanes(scales, first, ROW_BF16); break;
    case CAMBIUM_SCALE_F16: values = row_lanes(scales, first, ROW_F16); break;
    case CAMBIUM_SCALE_E8M0: {
        typedef uint8_t exponent_lanes __attribute__((vector_size(16), aligned(1), may_alias));
        int_lanes exponents = __builtin_convertvector(*(const exponent_lanes *)(scales + first), int_lanes);
        int_lanes is_least = exponents == 0, is_none = exponents == 255;
        int_lanes bits = exponents << 23 & ~is_none;
        bits |= (is_least & 0x00400000) | (is_none & 0x7fc00000);
        memcpy(&values, &bits, sizeof values);
        break;
    }
    }
    *(lanes *)found = values;
    return found + (LANES - count);
}

#endif
