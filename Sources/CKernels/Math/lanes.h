// Vectors of 16 floats, the unit of every fixed order. The compiler splits them into the vectors
// that the instruction set has. Included by each variant after it switched contraction off: products
// and sums are fused where the source says so, and nowhere else.
#ifndef CAMBIUM_LANES_H
#define CAMBIUM_LANES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Vectors wider than the instruction set's are passed to inline functions alone.
#pragma clang diagnostic ignored "-Wpsabi"

#define INLINE static inline __attribute__((always_inline))

enum { LANES = 16 };

// 16 floats at any address, of any declared type.
typedef float lanes __attribute__((vector_size(64), aligned(1), may_alias));
typedef int32_t int_lanes __attribute__((vector_size(64), aligned(1), may_alias));
typedef uint16_t half_lanes __attribute__((vector_size(32), aligned(1), may_alias));
typedef int8_t byte_lanes __attribute__((vector_size(16), aligned(1), may_alias));

// a b + c, rounded once.
INLINE lanes fused(lanes a, lanes b, lanes c) { return __builtin_elementwise_fma(a, b, c); }

INLINE lanes all(float x) {
    return (lanes){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
}

// a where it is larger, b elsewhere: also where one of them is NaN.
INLINE lanes larger(lanes a, lanes b) {
    int_lanes above = a > b, x, y;
    memcpy(&x, &a, sizeof x);
    memcpy(&y, &b, sizeof y);
    x = (x & above) | (y & ~above);
    memcpy(&a, &x, sizeof a);
    return a;
}

// Adds up the lanes: those 8 apart, then 4, 2 and 1.
INLINE float lane_sum(lanes sums) {
    typedef float eight __attribute__((vector_size(32)));
    typedef float four __attribute__((vector_size(16)));
    eight e = __builtin_shufflevector(sums, sums, 0, 1, 2, 3, 4, 5, 6, 7) +
              __builtin_shufflevector(sums, sums, 8, 9, 10, 11, 12, 13, 14, 15);
    four f = __builtin_shufflevector(e, e, 0, 1, 2, 3) + __builtin_shufflevector(e, e, 4, 5, 6, 7);
    return (f[0] + f[2]) + (f[1] + f[3]);
}

// As lane_sum of four vectors.
INLINE void lane_sums(lanes a, lanes b, lanes c, lanes d, float *out) {
    typedef float four __attribute__((vector_size(16), aligned(1), may_alias));
#define EIGHTS(x, y)                                                                              \
    __builtin_shufflevector(x, y, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +        \
        __builtin_shufflevector(x, y, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31)
    lanes ab = EIGHTS(a, b), cd = EIGHTS(c, d);
#undef EIGHTS
    lanes fours = __builtin_shufflevector(ab, cd, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
                  __builtin_shufflevector(ab, cd, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    lanes twos = fours + __builtin_shufflevector(fours, fours, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    lanes ones = twos + __builtin_shufflevector(twos, twos, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
    *(four *)out = __builtin_shufflevector(ones, ones, 0, 4, 8, 12);
}

// As lane_sum of 16 vectors, sums[r][t]: out[t * stride + r].
INLINE void lane_sums_of_tile(const lanes sums[4][4], float *out, size_t stride) {
    typedef float four __attribute__((vector_size(16), aligned(1), may_alias));
    lanes row[4];
#define EIGHTS(x, y)                                                                              \
    __builtin_shufflevector(x, y, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +        \
        __builtin_shufflevector(x, y, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31)
    for (int r = 0; r < 4; r++) {
        lanes ab = EIGHTS(sums[r][0], sums[r][1]), cd = EIGHTS(sums[r][2], sums[r][3]);
        row[r] = __builtin_shufflevector(ab, cd, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
                 __builtin_shufflevector(ab, cd, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    }
#undef EIGHTS
    // Four lanes of each vector are left; those of two rows side by side, then of four.
#define TWOS(x, y)                                                                                \
    __builtin_shufflevector(x, y, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29) +      \
        __builtin_shufflevector(x, y, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
    lanes first = TWOS(row[0], row[1]), second = TWOS(row[2], row[3]);
#undef TWOS
    lanes ones = __builtin_shufflevector(first, second, 0, 2, 16, 18, 4, 6, 20, 22, 8, 10, 24, 26, 12, 14, 28, 30) +
                 __builtin_shufflevector(first, second, 1, 3, 17, 19, 5, 7, 21, 23, 9, 11, 25, 27, 13, 15, 29, 31);
    *(four *)out = __builtin_shufflevector(ones, ones, 0, 1, 2, 3);
    *(four *)(out + stride) = __builtin_shufflevector(ones, ones, 4, 5, 6, 7);
    *(four *)(out + 2 * stride) = __builtin_shufflevector(ones, ones, 8, 9, 10, 11);
    *(four *)(out + 3 * stride) = __builtin_shufflevector(ones, ones, 12, 13, 14, 15);
}

// One bit for each lane, the first lane's lowest; the lanes are 0 or -1.
INLINE uint32_t lane_bits(int_lanes x) {
    typedef _Bool bits __attribute__((ext_vector_type(16)));
    bits set = __builtin_convertvector(x, bits);
    uint16_t mask;
    memcpy(&mask, &set, sizeof mask);
    return mask;
}

// How the elements of a stored row become floats: exactly, all four.
enum row_type { ROW_F32, ROW_BF16, ROW_F16, ROW_I8 };

INLINE size_t row_element(enum row_type type) {
    return type == ROW_F32 ? 4 : type == ROW_I8 ? 1 : 2;
}

// 16 halves (IEEE 754 binary16): exponent and fraction are moved to where a float has them, and the
// product with 2^112 corrects the bias, also of subnormal numbers; infinity and NaN keep theirs.
INLINE lanes half_values(int_lanes bits) {
    int_lanes sign = (bits & 0x8000) << 16, size = (bits & 0x7fff) << 13;
    int_lanes special = (bits & 0x7c00) == 0x7c00;
    lanes scaled;
    memcpy(&scaled, &size, sizeof scaled);
    scaled = scaled * all(0x1p112f);
    int_lanes values;
    memcpy(&values, &scaled, sizeof values);
    values = (values & ~special) | ((size | 0x7f800000) & special) | sign;
    memcpy(&scaled, &values, sizeof scaled);
    return scaled;
}

// HALF_LANES, where the instruction set has one for it, has the same numbers.
#ifndef HALF_LANES
#define HALF_LANES(halves) half_values(__builtin_convertvector(*(const half_lanes *)(halves), int_lanes))
#define HALF_VALUE(half) half_values((int_lanes){half})[0]
#endif

INLINE lanes row_lanes(const char *row, size_t i, enum row_type type) {
    if (type == ROW_F32) return *(const lanes *)(row + 4 * i);
    if (type == ROW_BF16) {
        int_lanes bits = __builtin_convertvector(*(const half_lanes *)(row + 2 * i), int_lanes);
        bits <<= 16;
        lanes values;
        memcpy(&values, &bits, sizeof values);
        return values;
    }
    if (type == ROW_F16) {
        return HALF_LANES(row + 2 * i);
    }
    int_lanes wide = __builtin_convertvector(*(const byte_lanes *)(row + i), int_lanes);
    return __builtin_convertvector(wide, lanes);
}

INLINE float row_value(const char *row, size_t i, enum row_type type) {
    float value;
    if (type == ROW_F32) {
        memcpy(&value, row + 4 * i, 4);
        return value;
    }
    if (type == ROW_BF16) {
        uint16_t half;
        memcpy(&half, row + 2 * i, 2);
        uint32_t bits = (uint32_t)half << 16;
        memcpy(&value, &bits, 4);
        return value;
    }
    if (type == ROW_F16) {
        uint16_t half;
        memcpy(&half, row + 2 * i, 2);
        return HALF_VALUE(half);
    }
    return (float)*(const int8_t *)(row + i);
}

// Sum of x[i] * row[i]: element i goes to lane i mod 16.
INLINE float dot_of(const float *x, const char *row, size_t count, enum row_type type) {
    lanes sums = {0};
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        sums = fused(*(const lanes *)(x + i), row_lanes(row, i, type), sums);
    }
    for (size_t l = 0; i < count; i++, l++) {
        sums[l] = __builtin_fmaf(x[i], row_value(row, i, type), sums[l]);
    }
    return lane_sum(sums);
}

// y += a * row.
INLINE void axpy_of(float a, const char *row, float *y, size_t count, enum row_type type) {
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        *(lanes *)(y + i) = fused(all(a), row_lanes(row, i, type), *(const lanes *)(y + i));
    }
    for (; i < count; i++) y[i] = __builtin_fmaf(a, row_value(row, i, type), y[i]);
}

#endif
