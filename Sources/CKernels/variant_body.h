// The source of the kernels that exist once per instruction set, over vectors of 16 lanes, which
// the compiler splits into the vectors it may use. Included by scalar.c and avx2.c, which define
// VARIANT (the table to fill) and VARIANT_NAME. Contraction is off and sums run in source order, so
// every instruction set gives the same bits.

#include "scalar_math.h"
#include "include/cambium_variants.h"

#include <string.h>

enum { LANES = 16 };

// 16 floats at any address, of any declared type.
typedef float lanes __attribute__((vector_size(64), aligned(1), may_alias));

static inline __attribute__((always_inline)) float element_at(const void *x, size_t i) {
    float element;
    memcpy(&element, (const char *)x + i * sizeof element, sizeof element);
    return element;
}

// Adds up the lanes: those 8 apart, then 4, 2 and 1.
static inline __attribute__((always_inline)) float lane_sum(const lanes *sums) {
    typedef float eight __attribute__((vector_size(32)));
    typedef float four __attribute__((vector_size(16)));
    eight e = __builtin_shufflevector(*sums, *sums, 0, 1, 2, 3, 4, 5, 6, 7) +
              __builtin_shufflevector(*sums, *sums, 8, 9, 10, 11, 12, 13, 14, 15);
    four f = __builtin_shufflevector(e, e, 0, 1, 2, 3) + __builtin_shufflevector(e, e, 4, 5, 6, 7);
    return (f[0] + f[2]) + (f[1] + f[3]);
}

static inline __attribute__((always_inline)) float dot_of(const float *x, const void *y,
                                                          size_t count) {
    const char *row = y;
    lanes sums = {0};
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        sums += *(const lanes *)(x + i) * *(const lanes *)(row + i * sizeof(float));
    }
    for (size_t l = 0; i < count; i++, l++) sums[l] += x[i] * element_at(row, i);
    return lane_sum(&sums);
}

static inline __attribute__((always_inline)) void axpy_of(float a, const void *x, float *y,
                                                          size_t count) {
    const char *row = x;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        *(lanes *)(y + i) += a * *(const lanes *)(row + i * sizeof(float));
    }
    for (; i < count; i++) y[i] += a * element_at(row, i);
}

static float dot(const float *x, const void *y, size_t count) { return dot_of(x, y, count); }

static void axpy(float a, const void *x, float *y, size_t count) { axpy_of(a, x, y, count); }

static void row_dots(const void *rows, const float *x, size_t row_count, size_t width, float *out) {
    const char *row = rows;
    for (size_t r = 0; r < row_count; r++, row += width * sizeof(float)) {
        out[r] = dot_of(x, row, width);
    }
}

static void rms_norm(const float *x, const float *weight, size_t tokens, size_t width,
                     float epsilon, float *out) {
    for (size_t t = 0; t < tokens; t++, x += width, out += width) {
        float mean = dot_of(x, x, width) / (float)width;
        float scale = 1.0f / __builtin_sqrtf(mean + epsilon);
        for (size_t i = 0; i < width; i++) {
            float y = x[i] * scale;
            out[i] = weight ? y * weight[i] : y;
        }
    }
}

static void silu_gate(float *gate, const float *up, size_t count) {
    for (size_t i = 0; i < count; i++) {
        gate[i] = gate[i] / (1.0f + exp_of(-gate[i])) * up[i];
    }
}

// x = exp(x - max), and the sum of the result. A NaN anywhere makes the sum NaN.
static inline __attribute__((always_inline)) float exp_all(float *x, size_t count) {
    float largest = x[0];
    for (size_t i = 1; i < count; i++) largest = x[i] > largest ? x[i] : largest;
    for (size_t i = 0; i < count; i++) x[i] = exp_of(x[i] - largest);
    lanes sums = {0};
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) sums += *(const lanes *)(x + i);
    for (size_t l = 0; i < count; i++, l++) sums[l] += x[i];
    return lane_sum(&sums);
}

static void softmax(float *x, size_t count) {
    if (count == 0) return;
    float sum = exp_all(x, count);
    for (size_t i = 0; i < count; i++) x[i] = x[i] / sum;
}

static void neuron(const float *x, const void *rows, size_t width, float gate, float *out) {
    const char *up = (const char *)rows + width * sizeof(float);
    axpy_of(gate * gelu_of(dot_of(x, rows, width)), up, out, width);
}

// One head of one token: the scores of `length` keys by columns, then the values they weigh.
static inline void attend(const float *query, const float *keys, const float *values, size_t length,
                          size_t width, size_t head_size, size_t capacity, float *scores,
                          float *out) {
    float scale = 1.0f / __builtin_sqrtf((float)head_size);
    for (size_t j = 0; j < length; j += LANES) {
        lanes sums = {0};
        for (size_t d = 0; d < head_size; d++) {
            sums += query[d] * *(const lanes *)(keys + d * capacity + j);
        }
        *(lanes *)(scores + j) = sums * scale;
    }
    float inverse = 1.0f / exp_all(scores, length);
    size_t d = 0;
    for (; d + LANES <= head_size; d += LANES) {
        lanes sums = {0};
        for (size_t j = 0; j < length; j++) {
            sums += scores[j] * *(const lanes *)(values + j * width + d);
        }
        *(lanes *)(out + d) = sums * inverse;
    }
    for (; d < head_size; d++) {
        float sum = 0;
        for (size_t j = 0; j < length; j++) sum += scores[j] * values[j * width + d];
        out[d] = sum * inverse;
    }
}

static void attention(const float *queries, const float *keys, const float *values, size_t tokens,
                      size_t first, size_t heads, size_t head_size, size_t capacity, float *scores,
                      float *out) {
    size_t width = heads * head_size;
    for (size_t t = 0; t < tokens; t++) {
        for (size_t h = 0; h < heads; h++) {
            size_t at = h * head_size;
            attend(queries + t * width + at, keys + at * capacity, values + at, first + t + 1,
                   width, head_size, capacity, scores, out + t * width + at);
        }
    }
}

const struct cambium_variant VARIANT = {
    .name = VARIANT_NAME,
    .dot = dot,
    .axpy = axpy,
    .row_dots = row_dots,
    .rms_norm = rms_norm,
    .silu_gate = silu_gate,
    .softmax = softmax,
    .neuron = neuron,
    .attention = attention,
};
