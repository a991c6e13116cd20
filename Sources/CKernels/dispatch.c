// Chooses the variant once, when the program is loaded, and the kernels that have one variant only.

#include "scalar_math.h"
#include "include/cambium_variants.h"

#pragma STDC FP_CONTRACT OFF

static const struct cambium_variant *active = &cambium_scalar;

__attribute__((constructor)) static void choose_variant(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2")) active = &cambium_avx2;
#endif
}

const struct cambium_variant *cambium_active_variant(void) { return active; }

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

float cambium_gelu(float x) { return gelu_of(x); }

void cambium_silu_gate(float *gate, const float *up, size_t count) {
    active->silu_gate(gate, up, count);
}

void cambium_softmax(float *x, size_t count) { active->softmax(x, count); }

void cambium_neuron(const float *x, const void *rows, size_t width, float gate, float *out) {
    active->neuron(x, rows, width, gate, out);
}

void cambium_attention(const float *queries, const float *keys, const float *values, size_t tokens,
                       size_t first, size_t heads, size_t head_size, size_t capacity, float *scores,
                       float *out) {
    active->attention(queries, keys, values, tokens, first, heads, head_size, capacity, scores,
                      out);
}

void cambium_rope(float *x, const float *cosines, const float *sines, size_t tokens, size_t heads,
                  size_t head_size) {
    size_t half = head_size / 2;
    for (size_t t = 0; t < tokens; t++, cosines += half, sines += half) {
        for (size_t h = 0; h < heads; h++, x += head_size) {
            for (size_t i = 0; i < half; i++) {
                float a = x[i], b = x[i + half];
                x[i] = a * cosines[i] - b * sines[i];
                x[i + half] = b * cosines[i] + a * sines[i];
            }
        }
    }
}

void cambium_store_keys(const float *x, size_t tokens, size_t width, size_t first, size_t capacity,
                        float *keys) {
    for (size_t i = 0; i < width; i++) {
        for (size_t t = 0; t < tokens; t++) keys[i * capacity + first + t] = x[t * width + i];
    }
}
