// The source of the kernels that exist once per instruction set, over vectors of 16 lanes, which
// the compiler splits into the vectors it may use. Included by scalar.c, avx2.c and avx512.c, which
// define VARIANT (the table to fill), VARIANT_NAME, ROW_TOKENS, NIBBLE_VALUES and HALF_NIBBLES. Products and sums are fused exactly where
// the source says so, and sums run in source order, so every instruction set gives the same bits.

#include "../Math/lanes.h"
#include "../Math/codes.h"
#include "../Math/scalar_math.h"
#include "cambium_variants.h"

static float dot(const float *x, const void *y, size_t count) {
    return dot_of(x, y, count, ROW_F32);
}

static void axpy(float a, const void *x, float *y, size_t count) {
    axpy_of(a, x, y, count, ROW_F32);
}

static void row_dots(const void *rows, const float *x, size_t row_count, size_t width, float *out) {
    const char *row = rows;
    for (size_t r = 0; r < row_count; r++, row += width * sizeof(float)) {
        out[r] = dot_of(x, row, width, ROW_F32);
    }
}

static void rms_norm(const float *x, const float *weight, size_t tokens, size_t width,
                     float epsilon, float *out) {
    for (size_t t = 0; t < tokens; t++, x += width, out += width) {
        float mean = dot_of(x, (const char *)x, width, ROW_F32) / (float)width;
        float scale = 1.0f / __builtin_sqrtf(mean + epsilon);
        size_t i = 0;
        for (; i + LANES <= width; i += LANES) {
            lanes y = *(const lanes *)(x + i) * all(scale);
            *(lanes *)(out + i) = weight ? y * *(const lanes *)(weight + i) : y;
        }
        for (; i < width; i++) {
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

// GELU by its tanh, which is x σ(2 √(2/π) (x + 0.044715 x³)).
static void gelu_gate(float *gate, const float *up, size_t count) {
    for (size_t i = 0; i < count; i++) {
        float x = gate[i];
        float turn = 1.5957691216057308f * (x + 0.044715f * (x * x * x));
        gate[i] = x / (1.0f + exp_of(-turn)) * up[i];
    }
}

static void gelu_all(float *x, size_t count) {
    for (size_t i = 0; i < count; i++) x[i] = gelu_of(x[i]);
}

// The largest; a NaN only where the lane that it is in began with it.
INLINE float largest_of(const float *x, size_t count) {
    if (count < LANES) {
        float largest = x[0];
        for (size_t i = 1; i < count; i++) largest = x[i] > largest ? x[i] : largest;
        return largest;
    }
    lanes maxima = *(const lanes *)x;
    for (size_t i = LANES; i < count; i += LANES) {
        // The last block may read some elements twice.
        size_t at = i + LANES <= count ? i : count - LANES;
        lanes block = *(const lanes *)(x + at);
        maxima = larger(block, maxima);
    }
    float largest = maxima[0];
    for (size_t l = 1; l < LANES; l++) largest = maxima[l] > largest ? maxima[l] : largest;
    return largest;
}

// x = exp(x - max), where max is that of x and `sink`, and the sum of the result and of exp(sink -
// max). A NaN anywhere makes the sum NaN. A sink of -infinity adds nothing.
INLINE float exp_all_with(float *x, size_t count, float sink) {
    float largest = largest_of(x, count);
    largest = sink > largest ? sink : largest;
    for (size_t i = 0; i < count; i++) x[i] = exp_of(x[i] - largest);
    lanes sums = {0};
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) sums += *(const lanes *)(x + i);
    for (size_t l = 0; i < count; i++, l++) sums[l] += x[i];
    return lane_sum(sums) + exp_of(sink - largest);
}

INLINE float exp_all(float *x, size_t count) { return exp_all_with(x, count, -__builtin_inff()); }

static void softmax(float *x, size_t count) {
    if (count == 0) return;
    float sum = exp_all(x, count);
    for (size_t i = 0; i < count; i++) x[i] = x[i] / sum;
}

static void log_softmax(const float *x, size_t count, float *out) {
    if (count == 0) return;
    float largest = largest_of(x, count);
    for (size_t i = 0; i < count; i++) out[i] = x[i];
    float logarithm = log_of(exp_all(out, count));
    for (size_t i = 0; i < count; i++) out[i] = (x[i] - largest) - logarithm;
}

#include "../Attention/attention_body.h"
#include "../Attention/delta_body.h"
#include "../Experts/experts_body.h"
#include "../Experts/hash_body.h"
#include "../Products/gemm_body.h"
#include "../Products/rows_body.h"
#include "../Products/coded_body.h"
#include "../Products/column_codes_body.h"
#include "../Experts/select_body.h"

const struct cambium_variant VARIANT = {
    .name = VARIANT_NAME,
    .dot = dot,
    .axpy = axpy,
    .row_dots = row_dots,
    .rms_norm = rms_norm,
    .silu_gate = silu_gate,
    .gelu_gate = gelu_gate,
    .gelu = gelu_all,
    .softmax = softmax,
    .log_softmax = log_softmax,
    .neurons = neurons,
    .neuron_values = neuron_values,
    .neuron_sums = neuron_sums,
    .attention = attention,
    .delta_rule = delta_rule,
    .convolve = convolve,
    .rope = rope,
    .panel_products = panel_products,
    .quantized_products = quantized_products,
    .row_products = row_products,
    .row_sums = row_sums,
    .sigmoid = sigmoid_all,
    .clamped_gate = clamped_gate,
    .top = top,
    .product_key_top = product_key_top,
    .add_row = add_row,
    .coded_products = coded_products,
    .coded_sums = coded_sums,
    .column_products = column_products,
};
