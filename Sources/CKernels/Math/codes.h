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

#endif
