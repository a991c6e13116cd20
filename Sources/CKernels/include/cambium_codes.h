// Matrices as quantised checkpoints store them: codes, and scales that they are multiplied with.
//
// A weight is the number of its code times its scale, rounded once to a float. Products are those of the weights as
// floats, bit for bit.
#ifndef CAMBIUM_CODES_INCLUDED
#define CAMBIUM_CODES_INCLUDED

#include <stddef.h>
#include <stdint.h>

enum cambium_weight_code {
    // A byte: a sign, 4 bits of exponent with a bias of 7, 3 of fraction; no infinities, and 0x7f and 0xff are NaN
    // (OCP 8-bit Floating Point, E4M3).
    CAMBIUM_E4M3,
    // 4 bits, the first element of a byte low: 0, 0.5, 1, 1.5, 2, 3, 4, 6, and the same with the sign (OCP
    // Microscaling Formats, E2M1).
    CAMBIUM_E2M1,
    // 4 bits, the first element of a byte low: less 8.
    CAMBIUM_INT4,
    // The same in blocks of 32, which a row is whole ones of: of 16 bytes the first 16 elements low, the others high.
    CAMBIUM_INT4_HALVES,
    // A byte: a number with a sign.
    CAMBIUM_INT8,
};

// Of E8M0 a byte is an exponent of 2 with a bias of 127, and 255 NaN.
enum cambium_scale_type {
    CAMBIUM_SCALE_F32, CAMBIUM_SCALE_BF16, CAMBIUM_SCALE_F16, CAMBIUM_SCALE_E8M0
};

// All at any address. Rows of codes of 4 bits have an even width.
struct cambium_coded_rows {
    // [rows, width].
    const void *codes;
    // [rows / scale_rows, width / scale_width], both rounded up.
    const void *scales;
    enum cambium_weight_code code;
    enum cambium_scale_type scale;
    size_t width;
    // Rows, and adjacent elements of a row, that share a scale: at least 1. The latter is a multiple of 16, or at
    // least the width.
    size_t scale_rows, scale_width;
};

// out[i] = the weight at [row, first + i] for i < count: the reference, element by element.
void cambium_coded_values(const struct cambium_coded_rows *matrix, size_t row, size_t first, size_t count,
                          float *out);
// out[t, r] = x[t] . row first + r, for r < count, as cambium_row_products gives it.
void cambium_coded_products(const struct cambium_coded_rows *matrix, size_t first, size_t count,
                            const float *const *x, size_t tokens, float *out, size_t out_stride);
// out[t, j] += sum over k < count of x[t][k] * weight [first + k, j], as cambium_row_sums gives it.
void cambium_coded_sums(const struct cambium_coded_rows *matrix, size_t first, size_t count,
                        const float *const *x, size_t tokens, float *out, size_t out_stride);

// Codes (CAMBIUM_INT8 or CAMBIUM_INT4_HALVES) and scales of F16 of `blocks` times 32 floats, as GGUF's Q8_0 and Q4_0 have
// them: the scale is the greatest magnitude / 127, or the element farthest from 0 / -8, and codes are the nearest.
//
// Returns the blocks before the first that has NaN, infinity or a scale beyond F16: all, where none has.
size_t cambium_encode_blocks(const float *values, size_t blocks, enum cambium_weight_code code, void *codes,
                             void *scales);

// Codes of 4 bits with zero points that lie by columns: 8 inputs of an output in a word (GPTQ), or 8 outputs of an
// input, the even ones first (AWQ). A weight is (code - zero) * scale, rounded once. Zero points
// are those of a word of them and zero_step * 0x11111111: the first format of GPTQ was written as words less that, with
// the borrow that a zero point of 0 is to the next.
enum cambium_column_order { CAMBIUM_GPTQ, CAMBIUM_AWQ };

// All at any address, of 32-bit words but for the scales, which are F16 or BF16.
struct cambium_column_codes {
    // [inputs / 8, outputs] (GPTQ) or [inputs, outputs / 8] (AWQ).
    const void *codes;
    // [inputs / group, outputs / 8], rounded up, 8 outputs in a word: one after the other, or as AWQ has them.
    const void *zeros;
    // [inputs / group, outputs].
    const void *scales;
    enum cambium_column_order order;
    enum cambium_scale_type scale;
    // 0 or 1.
    int32_t zero_step;
    // Both multiples of 8.
    size_t inputs, outputs;
    // Inputs that share a zero and a scale.
    size_t group;
};

// out[i] = the weight of an output and input first + i, for i < count: the reference, element by element.
void cambium_column_values(const struct cambium_column_codes *matrix, size_t output, size_t first, size_t count,
                           float *out);
// out[t, j] = sum over all inputs k of x[t][k] * weight of output first + j, fused and in ascending k, for j < count;
// first and count are multiples of 8.
void cambium_column_products(const struct cambium_column_codes *matrix, size_t first, size_t count,
                             const float *const *x, size_t tokens, float *out, size_t out_stride);

#endif
