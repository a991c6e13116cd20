// Chooses the variant once, when the program is loaded, and the kernels that have one variant only.

#pragma STDC FP_CONTRACT OFF

#include "../Math/scalar_math.h"
#include "cambium_training.h"
#include "cambium_variants.h"

extern const struct cambium_variant cambium_scalar;
extern const struct cambium_training cambium_training_scalar;
#if defined(__x86_64__)
extern const struct cambium_variant cambium_avx2, cambium_avx512;
extern const struct cambium_training cambium_training_avx2, cambium_training_avx512;
#endif

static const struct cambium_variant *const variants[] = {
#if defined(__x86_64__)
    &cambium_avx512,
    &cambium_avx2,
#endif
    &cambium_scalar,
    NULL,
};

static int runs(const struct cambium_variant *variant) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    int fused = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                __builtin_cpu_supports("f16c");
    if (variant == &cambium_avx512) {
        return fused && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
    }
    if (variant == &cambium_avx2) return fused;
#endif
    return variant == &cambium_scalar;
}

const struct cambium_variant *cambium_variant_at(size_t index) {
    for (const struct cambium_variant *const *variant = variants; *variant; variant++) {
        if (runs(*variant) && index-- == 0) return *variant;
    }
    return NULL;
}

static const struct cambium_variant *active = &cambium_scalar;

__attribute__((constructor)) static void choose_variant(void) { active = cambium_variant_at(0); }

const struct cambium_variant *cambium_active_variant(void) { return active; }

void cambium_use_variant(const struct cambium_variant *variant) {
    active = variant ? variant : cambium_variant_at(0);
}

const struct cambium_training *cambium_training_of(const struct cambium_variant *variant) {
#if defined(__x86_64__)
    if (variant == &cambium_avx512) return &cambium_training_avx512;
    if (variant == &cambium_avx2) return &cambium_training_avx2;
#endif
    return &cambium_training_scalar;
}

const struct cambium_training *cambium_training_active(void) {
    return cambium_training_of(active);
}

const char *cambium_kernel_variant(void) { return active->name; }

float cambium_dot(const float *x, const void *y, size_t count) { return active->dot(x, y, count); }

void cambium_axpy(float a, const void *x, float *y, size_t count) { active->axpy(a, x, y, count); }

void cambium_row_dots(const void *rows, const float *x, size_t row_count, size_t width,
                      float *out) {
    active->row_dots(rows, x, row_count, width, out);
}

void cambium_rms_norm(const float *x, const float *weight, size_t tokens, size_t width,
                      float epsilon, float *out) {
    active->rms_norm(x, weight, tokens, width, epsilon, out);
}

float cambium_exp(float x) { return exp_of(x); }

float cambium_log(float x) { return log_of(x); }

float cambium_gelu(float x) { return gelu_of(x); }

void cambium_silu_gate(float *gate, const float *up, size_t count) {
    active->silu_gate(gate, up, count);
}

void cambium_gelu_gate(float *gate, const float *up, size_t count) {
    active->gelu_gate(gate, up, count);
}

void cambium_softmax(float *x, size_t count) { active->softmax(x, count); }

void cambium_log_softmax(const float *x, size_t count, float *out) {
    active->log_softmax(x, count, out);
}

void cambium_neurons(const float *x, const void *const *experts, const float *gates, size_t count,
                     size_t width, enum cambium_expert_type type, float *out) {
    active->neurons(x, experts, gates, count, width, type, out);
}

void cambium_neuron_values(const float *x, const void *const *experts, const float *gates,
                           size_t count, size_t width, enum cambium_expert_type type,
                           float *values) {
    active->neuron_values(x, experts, gates, count, width, type, values);
}

void cambium_neuron_sums(const float *values, const void *const *experts, size_t count,
                         size_t width, enum cambium_expert_type type, size_t first, size_t end,
                         float *out) {
    active->neuron_sums(values, experts, count, width, type, first, end, out);
}

void cambium_attention(const struct cambium_attention_shape *shape, const float *queries,
                       const float *keys, const float *values, size_t tokens, size_t first,
                       size_t first_head, size_t end_head, float *scores, float *out) {
    active->attention(shape, queries, keys, values, tokens, first, first_head, end_head, scores,
                      out);
}

void cambium_delta_rule(float *state, const float *query, const float *key, const float *value,
                        float decay, float rate, size_t keys, size_t values, float *out) {
    active->delta_rule(state, query, key, value, decay, rate, keys, values, out);
}

void cambium_convolve(const float *rows, const float *weights, size_t taps, size_t width,
                      float *out) {
    active->convolve(rows, weights, taps, width, out);
}

void cambium_row_products(const void *rows, enum cambium_float_type type, size_t count,
                          size_t width, const float *const *x, size_t tokens, float *out,
                          size_t out_stride) {
    active->row_products(rows, type, count, width, x, tokens, out, out_stride);
}

void cambium_row_sums(const void *rows, enum cambium_float_type type, size_t count, size_t width,
                      size_t columns, const float *const *x, size_t tokens, float *out,
                      size_t out_stride) {
    active->row_sums(rows, type, count, width, columns, x, tokens, out, out_stride);
}

void cambium_sigmoid(float *x, size_t count) { active->sigmoid(x, count); }

void cambium_clamped_gate(const float *pairs, size_t count, float alpha, float limit, float *out) {
    active->clamped_gate(pairs, count, alpha, limit, out);
}

void cambium_panel_products(const float *packed, size_t rows, size_t columns, size_t first_panel,
                            size_t end_panel, const float *x, size_t x_stride, size_t tokens,
                            float *out, size_t out_stride) {
    active->panel_products(packed, rows, columns, first_panel, end_panel, x, x_stride, tokens, out,
                           out_stride);
}

void cambium_quantized_products(const int8_t *packed, const float *row_scales, size_t rows,
                                size_t pairs, size_t first_panel, size_t end_panel,
                                const int16_t *x, const float *x_scales, size_t tokens, float *out,
                                size_t out_stride) {
    active->quantized_products(packed, row_scales, rows, pairs, first_panel, end_panel, x, x_scales,
                               tokens, out, out_stride);
}

float cambium_top(const float *scores, size_t count, size_t top_k, uint32_t *ids, float *picked) {
    return active->top(scores, count, top_k, ids, picked);
}

float cambium_product_key_top(const float *first, size_t first_count, const float *second,
                              size_t second_count, size_t top_k, uint32_t *ids, float *scores) {
    return active->product_key_top(first, first_count, second, second_count, top_k, ids, scores);
}

void cambium_add_row(const void *row, enum cambium_row_form form, size_t width, float *out) {
    active->add_row(row, form, width, out);
}

void cambium_coded_products(const struct cambium_coded_rows *matrix, size_t first, size_t count,
                            const float *const *x, size_t tokens, float *out, size_t out_stride) {
    active->coded_products(matrix, first, count, x, tokens, out, out_stride);
}

void cambium_coded_sums(const struct cambium_coded_rows *matrix, size_t first, size_t count,
                        const float *const *x, size_t tokens, float *out, size_t out_stride) {
    active->coded_sums(matrix, first, count, x, tokens, out, out_stride);
}

void cambium_column_products(const struct cambium_column_codes *matrix, size_t first, size_t count,
                             const float *const *x, size_t tokens, float *out, size_t out_stride) {
    active->column_products(matrix, first, count, x, tokens, out, out_stride);
}

void cambium_rope(float *x, const float *cosines, const float *sines, size_t tokens, size_t heads,
                  size_t head_size) {
    active->rope(x, cosines, sines, tokens, heads, head_size);
}

void cambium_store_keys(const float *x, size_t tokens, size_t width, size_t first, float *keys) {
    for (size_t t = 0; t < tokens; t++) {
        float *column = keys + (first + t) / 16 * width * 16 + (first + t) % 16;
        for (size_t i = 0; i < width; i++) column[i * 16] = x[t * width + i];
    }
}
