// The kernels of inference, in fixed order.
//
// Every sum runs in 16 lanes (element i goes to lane i mod 16) that one fixed tree adds up, and no
// multiplication is contracted with an addition, so that a result depends neither on the batch,
// nor on the number of threads, nor on the CPU. Transcendental functions are our own, made of the
// same basic operations. The scalar source is the reference; other variants give the same bits.
//
// All matrices are row-major. `rows` parameters may be unaligned; they point into mapped records.
// No function keeps a pointer or allocates memory.
#ifndef CAMBIUM_KERNELS_H
#define CAMBIUM_KERNELS_H

#include <stddef.h>
#include <stdint.h>

// Sums and vectors -------------------------------------------------------------------------------

// Sum of x[i] * y[i]; x and y are [count].
float cambium_dot(const float *x, const void *y, size_t count);
// y += a * x; x and y are [count].
void cambium_axpy(float a, const void *x, float *y, size_t count);
// out[r] = rows[r] . x; rows is [row_count, width], x is [width].
void cambium_row_dots(const void *rows, const float *x, size_t row_count, size_t width, float *out);
// out = x / sqrt(mean(x^2) + epsilon) * weight per token; x and out are [tokens, width] and may be
// the same memory; weight is [width], or NULL for none.
void cambium_rms_norm(const float *x, const float *weight, size_t tokens, size_t width,
                      float epsilon, float *out);

// Activations ------------------------------------------------------------------------------------

// e^x; 0 below -87.3, infinity above 88. Error below 2 units in the last place.
float cambium_exp(float x);
// 0.5 x (1 + erf(x / sqrt 2)), the exact form; relative error below 4e-7 also in the tails.
float cambium_gelu(float x);
// gate = gate * sigmoid(gate) * up; both are [count].
void cambium_silu_gate(float *gate, const float *up, size_t count);
// x = exp(x - max x) / sum of the same, in place; x is [count].
void cambium_softmax(float *x, size_t count);

// Layers -----------------------------------------------------------------------------------------

// One neuron expert: out += gate * gelu(u . x) * v; rows is u [width], then v [width].
void cambium_neuron(const float *x, const void *rows, size_t width, float gate, float *out);
// Rotates halves in place: x is [tokens, heads, head_size], cosines and sines [tokens,
// head_size / 2].
void cambium_rope(float *x, const float *cosines, const float *sines, size_t tokens, size_t heads,
                  size_t head_size);
// keys[:, first + t] = x[t]; x is [tokens, width], keys is [width, capacity].
void cambium_store_keys(const float *x, size_t tokens, size_t width, size_t first, size_t capacity,
                        float *keys);
// Causal attention. queries and out are [tokens, heads * head_size] for positions first...;
// keys is [heads * head_size, capacity] (one column per position), values [capacity,
// heads * head_size], both filled up to first + tokens. capacity is a multiple of 16; scores is
// scratch [capacity].
void cambium_attention(const float *queries, const float *keys, const float *values, size_t tokens,
                       size_t first, size_t heads, size_t head_size, size_t capacity, float *scores,
                       float *out);

// The name of the variant that this CPU runs: "scalar" or "avx2".
const char *cambium_kernel_variant(void);

// Routing ----------------------------------------------------------------------------------------

#define CAMBIUM_MAX_TOP_K 128

// The top_k best of all count * count sums first[a] + second[b] (rounded to float), best first, ids
// a * count + b, equal sums in ascending id: exact over the whole grid for finite scores. A NaN
// sorts first, so that it shows in the result. first and second are [count], top_k is at most
// count and CAMBIUM_MAX_TOP_K; ids and scores are [top_k]. Returns the score of the last pick minus
// that of the best sum that was not picked (infinity when there is none).
float cambium_product_key_top(const float *first, const float *second, size_t count, size_t top_k,
                              uint32_t *ids, float *scores);

// Measures over stored tensors -------------------------------------------------------------------

// Encodings that the measures read; all little-endian and possibly unaligned.
enum cambium_float_type { CAMBIUM_F16, CAMBIUM_BF16, CAMBIUM_F32, CAMBIUM_F64 };

struct cambium_non_finite {
    uint64_t nan;
    uint64_t infinite;
};
// Counts NaN and both infinities among count elements.
struct cambium_non_finite cambium_count_non_finite(const void *bytes, size_t count,
                                                   enum cambium_float_type type);

struct cambium_products {
    double before_before;          // sum of before^2
    double after_after;            // sum of after^2
    double before_after;           // sum of before * after
    double change_change;          // sum of (after - before)^2
};
// Sums in double, one after another; before and after hold count elements.
struct cambium_products cambium_compare(const void *before, const void *after, size_t count,
                                        enum cambium_float_type type);

// out[i] = element i as a float; exact for F16, BF16 and F32, rounded for F64.
void cambium_to_float(const void *bytes, size_t count, enum cambium_float_type type, float *out);

// Minus the natural logarithm of softmax(logits)[target], by log-sum-exp in double; logits is
// [count]. Not finite when a logit is NaN or +infinity.
double cambium_cross_entropy(const float *logits, size_t count, size_t target);

#endif
