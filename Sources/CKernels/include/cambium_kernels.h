// The kernels of inference, in fixed order.
//
// A sum runs either in 16 lanes (element i goes to lane i mod 16) that one fixed tree adds up, or
// as one chain in ascending order; products are fused with sums (rounded once) where the source says
// so, in every variant. So a result depends neither on the batch, nor on the number of threads, nor
// on the CPU. Transcendental functions are our own, made of the same basic operations. The scalar
// source is the reference; other variants give the same bits.
//
// All matrices are row-major. `rows` parameters may be unaligned; they point into mapped records.
// No function keeps a pointer or allocates memory.
#ifndef CAMBIUM_KERNELS_H
#define CAMBIUM_KERNELS_H

#include <stddef.h>
#include <stdint.h>

// Encodings of stored elements; all little-endian and possibly unaligned.
enum cambium_float_type { CAMBIUM_F16, CAMBIUM_BF16, CAMBIUM_F32, CAMBIUM_F64 };

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
// ln x; -infinity at 0 and below. Error below 2 units in the last place.
float cambium_log(float x);
// 0.5 x (1 + erf(x / sqrt 2)), the exact form; relative error below 4e-7 also in the tails.
float cambium_gelu(float x);
// gate = gate * sigmoid(gate) * up; both are [count].
void cambium_silu_gate(float *gate, const float *up, size_t count);
// The same with GELU by its tanh.
void cambium_gelu_gate(float *gate, const float *up, size_t count);
// x = 1 / (1 + exp(-x)), in place; x is [count].
void cambium_sigmoid(float *x, size_t count);
// out = (up + 1) gate sigmoid(alpha gate), with gate cut at limit and up at both -limit and limit; pairs
// is [count, 2], gate first; out is [count].
void cambium_clamped_gate(const float *pairs, size_t count, float alpha, float limit, float *out);
// x = exp(x - max x) / sum of the same, in place; x is [count].
void cambium_softmax(float *x, size_t count);
// out = x - max x - ln(sum of exp(x - max x)); x and out are [count].
void cambium_log_softmax(const float *x, size_t count, float *out);
// frequencies[i] = theta^(-2 i / size) for i < size / 2; theta >= 1.
void cambium_rotation_frequencies(double theta, size_t size, double *frequencies);
// factor times cos and sin of position * frequencies[i], computed in double and rounded once, for i <
// count; position < 2^20, 0 <= frequencies <= 1.
void cambium_rotation(size_t position, const double *frequencies, size_t count, double factor,
                      float *cosines, float *sines);
// ln x for finite x > 0, as the frequencies are computed from.
double cambium_rotation_log(double x);
// ln x and e^x in double, within 1 unit in the last place of the nearest double.
double cambium_log_of_double(double x);
double cambium_exp_of_double(double x);

// Layers -----------------------------------------------------------------------------------------

// How the experts' elements are stored. An I8 expert is followed by the scales of its two rows as F32,
// [2].
enum cambium_expert_type { CAMBIUM_EXPERT_F32, CAMBIUM_EXPERT_BF16, CAMBIUM_EXPERT_I8 };

// One token of one head by the gated delta rule: state [keys, values] is multiplied with `decay`, what it holds of the
// key is moved towards the value by `rate`, and out [values] is what it then holds of the query.
void cambium_delta_rule(float *state, const float *query, const float *key, const float *value,
                        float decay, float rate, size_t keys, size_t values, float *out);
// out [width] = SiLU of the sum of `taps` rows, each multiplied element by element with its weights.
void cambium_convolve(const float *rows, const float *weights, size_t taps, size_t width,
                      float *out);

// Neuron experts: out += sum over e of gates[e] * gelu(u_e . x) * v_e, added in the order of e;
// experts[e] points at u_e [width], then v_e [width]; out is [width].
void cambium_neurons(const float *x, const void *const *experts, const float *gates, size_t count,
                     size_t width, enum cambium_expert_type type, float *out);
// The same in two steps, for threads that share one token. values[e] = gates[e] * gelu(u_e . x),
// times the scales of both rows of I8; values is [count].
void cambium_neuron_values(const float *x, const void *const *experts, const float *gates,
                           size_t count, size_t width, enum cambium_expert_type type,
                           float *values);
// out[i] += sum over e of values[e] * v_e[i] for first <= i < end; out is [width]. first is a multiple
// of 16.
void cambium_neuron_sums(const float *values, const void *const *experts, size_t count,
                         size_t width, enum cambium_expert_type type, size_t first, size_t end,
                         float *out);
// How a row that is added is stored: floats, or signed codes of so many bits, the first lowest, and behind them
// their scale as F32. Codes fill whole bytes.
enum cambium_row_form {
    CAMBIUM_ROW_F32, CAMBIUM_ROW_BF16, CAMBIUM_ROW_F16, CAMBIUM_ROW_8, CAMBIUM_ROW_4, CAMBIUM_ROW_2
};
// out += row, rounded once an element; both are [width].
void cambium_add_row(const void *row, enum cambium_row_form form, size_t width, float *out);
// Rotates halves in place: x is [tokens, heads, head_size], cosines and sines [tokens,
// head_size / 2].
void cambium_rope(float *x, const float *cosines, const float *sines, size_t tokens, size_t heads,
                  size_t head_size);
// keys[p / 16, :, p % 16] = x[t] for p = first + t; x is [tokens, width], keys is [capacity / 16, width, 16].
void cambium_store_keys(const float *x, size_t tokens, size_t width, size_t first, float *keys);
// What an attention is like.
struct cambium_attention_shape {
    // Query heads, and heads of keys and values, each of which serves heads / key_heads of them.
    size_t heads, key_heads;
    // Elements of a head's query and key, and of its value.
    size_t key_size, value_size;
    // Positions that the caches have room for, a multiple of 16.
    size_t capacity;
    // Positions that a query sees, its own the last; 0 for all.
    size_t window;
    // What scores are multiplied with before the softmax.
    float scale;
    // [heads], or NULL: scores that the softmax takes in and nothing reads.
    const float *sinks;
};
// Causal attention. queries is [tokens, heads * key_size] for positions first..., out [tokens, heads
// * value_size]; keys is [capacity / 16, key_heads * key_size, 16] (one column per position), values
// [capacity, key_heads * value_size], both filled up to first + tokens; scores is scratch
// [CAMBIUM_ATTENTION_ROWS, capacity]. Computes the heads first_head..<end_head alone.
#define CAMBIUM_ATTENTION_ROWS 4
void cambium_attention(const struct cambium_attention_shape *shape, const float *queries,
                       const float *keys, const float *values, size_t tokens, size_t first,
                       size_t first_head, size_t end_head, float *scores, float *out);

// Matrices ---------------------------------------------------------------------------------------

// packed[p, k, l] = w[16 p + l, k], zero behind the last row; w is [rows, columns], packed is
// [(rows + 15) / 16, columns, 16].
void cambium_pack_panels(const float *w, size_t rows, size_t columns, float *packed);
// out[t, r] = sum over k of x[t, k] * w[r, k], fused and in ascending k from 0, for the rows of the
// panels first_panel..<end_panel; x is [tokens, x_stride], out [tokens, out_stride].
void cambium_panel_products(const float *packed, size_t rows, size_t columns, size_t first_panel,
                            size_t end_panel, const float *x, size_t x_stride, size_t tokens,
                            float *out, size_t out_stride);

// out[t, r] = x[t] . rows[r], in 16 lanes; rows is [count, width] where it is stored, of any type but
// F64; x[t] is [width], out [tokens, out_stride].
void cambium_row_products(const void *rows, enum cambium_float_type type, size_t count,
                          size_t width, const float *const *x, size_t tokens, float *out,
                          size_t out_stride);
// out[t, j] += sum over k of x[t][k] * rows[k, j] for j < columns, fused and in ascending k; rows is
// [count, width], of which the first columns are read; x[t] is [count]. Otherwise as
// cambium_row_products.
void cambium_row_sums(const void *rows, enum cambium_float_type type, size_t count, size_t width,
                      size_t columns, const float *const *x, size_t tokens, float *out,
                      size_t out_stride);

// quantised[i] = x[i] / scale, rounded to the nearest, ties to even, with the scale max |x| / 127,
// which is returned: 0 for a row of zeros, NaN when a value is not finite; then all are 0.
float cambium_quantize(const float *x, size_t count, int8_t *quantised);
// packed[p, k, l, i] = w[16 p + l, 2 k + i], zero outside; w is [rows, columns], packed is
// [(rows + 15) / 16, (columns + 1) / 2, 16, 2].
void cambium_pack_quantized(const int8_t *w, size_t rows, size_t columns, int8_t *packed);
// out[t, r] = (sum over k of x[t, k] * w[r, k]) * row_scales[r] * x_scales[t], rounded in this
// order; the sums are exact; x is [tokens, 2 * pairs] with magnitudes of at most 127, out [tokens,
// out_stride].
void cambium_quantized_products(const int8_t *packed, const float *row_scales, size_t rows,
                                size_t pairs, size_t first_panel, size_t end_panel,
                                const int16_t *x, const float *x_scales, size_t tokens, float *out,
                                size_t out_stride);

// The name of the variant that this CPU runs: "scalar", "avx2" or "avx512".
const char *cambium_kernel_variant(void);

// Routing ----------------------------------------------------------------------------------------

#define CAMBIUM_MAX_TOP_K 128

// The top_k best of count scores, best first, equal ones in ascending id: ids[p] and scores[ids[p]].
// A NaN sorts first, so that it shows in the result. top_k is at most count and CAMBIUM_MAX_TOP_K.
// Returns the last pick's score minus that of the best that was not picked (infinity when there is
// none).
float cambium_top(const float *scores, size_t count, size_t top_k, uint32_t *ids, float *picked);
// The top_k best of all sums first[a] + second[b] (rounded to float), best first, ids a *
// second_count + b, equal sums in ascending id: exact over the whole grid for finite scores. top_k
// is at most the number of sums and CAMBIUM_MAX_TOP_K; ids and scores are [top_k]. Otherwise as
// cambium_top.
float cambium_product_key_top(const float *first, size_t first_count, const float *second,
                              size_t second_count, size_t top_k, uint32_t *ids, float *scores);

// Measures over stored tensors -------------------------------------------------------------------

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
    double greatest;               // greatest |after - before|, of those that are numbers
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
