// The kernels of training: products of matrices, gradients of the layers, and optimisers. As elsewhere
// every variant gives the same bits; all matrices are row-major, and no function keeps a pointer or
// allocates memory.
#ifndef CAMBIUM_TRAINING_H
#define CAMBIUM_TRAINING_H

#include <stddef.h>
#include <stdint.h>

#include "cambium_variants.h"

// One step of Adam (Kingma and Ba, 1412.6980) with decoupled decay (Loshchilov and Hutter,
// 1711.05101).
struct cambium_adam {
    float scale;                    // multiplies the gradient (clipping)
    float rate, beta1, beta2, epsilon;
    float decay;                    // of the weight, times rate
    float correction1, correction2; // 1 / (1 - beta^step)
};

// Tokens whose products weight_gradient adds at a time.
enum { CAMBIUM_GRADIENT_DEPTH = 256 };

// One per instruction set; the fields tell what each computes.
struct cambium_training {
    const char *name;
    // dx += gradient of y = x / sqrt(mean(x^2) + epsilon) * weight; dweight += its own. x, dy and dx
    // are [tokens, width], weight and dweight [width]; both NULL for none.
    void (*rms_norm_backward)(const float *x, const float *weight, const float *dy, size_t tokens,
                              size_t width, float epsilon, float *dx, float *dweight);
    // y = silu(gate) * up of rows x = [gate, up]: x is [tokens, 2 width], y [tokens, width].
    void (*silu_rows)(const float *x, size_t tokens, size_t width, float *y);
    // Its gradient dx, [tokens, 2 width], overwritten.
    void (*silu_rows_backward)(const float *x, const float *dy, size_t tokens, size_t width,
                               float *dx);
    // Rotates the heads at the start of rows of `stride` floats (rotary embeddings); cosines and
    // sines are [tokens, head_size / 2].
    void (*rotate_rows)(float *x, size_t stride, const float *cosines, const float *sines,
                        size_t tokens, size_t heads, size_t head_size);
    // value = x Phi(x), slope = Phi(x) + x phi(x); all [count].
    void (*gelu_slope)(const float *x, size_t count, float *value, float *slope);
    // One head of causal attention: out = softmax(scale * query key^T) value. query, key and value are
    // rows of `size` floats, each `stride` after the one before. p, [length, padded], keeps the
    // probabilities, where padded is length rounded up to 16; scratch holds (length + padded) *
    // padded size floats.
    void (*causal_attention)(const float *query, const float *key, const float *value,
                             size_t stride, size_t length, size_t size, float scale,
                             float *scratch, float *p, float *out, size_t out_stride);
    // Its gradients, overwritten; scratch holds (3 length + padded) * padded size + length * padded
    // floats.
    void (*causal_attention_backward)(const float *query, const float *key, const float *value,
                                      size_t stride, const float *p, const float *dout,
                                      size_t dout_stride, size_t length, size_t size, float scale,
                                      float *scratch, float *dquery, float *dkey, float *dvalue,
                                      size_t gradient_stride);
    // out[t, c] = sum over k of x[t, k] * w[k, c], plus what out was when `keeping`; w is laid out in
    // panels, [ceil(outputs / 16), depth, 16].
    void (*panel_sums)(const float *x, size_t x_stride, const float *panels, size_t tokens,
                       size_t depth, size_t outputs, float *out, size_t out_stride, int keeping);
    // Panels of 16 rows, [ceil(rows / 16), columns, 16], or of 16 columns, [ceil(columns / 16), rows,
    // 16], of x, whose rows are `stride` apart; 0 fills the last.
    void (*pack_rows)(const float *x, size_t stride, size_t rows, size_t columns, float *panels);
    void (*pack_columns)(const float *x, size_t stride, size_t rows, size_t columns,
                         float *panels);
    // gradient[r, c] += sum over t of dy[t, r] * x[t, c]; gradient is [rows, columns]. scratch holds
    // CAMBIUM_GRADIENT_DEPTH * (rows and columns, each rounded up to 16) floats.
    void (*weight_gradient)(const float *dy, size_t dy_stride, const float *x, size_t x_stride,
                            size_t tokens, size_t rows, size_t columns, float *scratch,
                            float *gradient);
    // logits become scale * (softmax - onehot(target)); [rows, width]. Returns the sum of
    // -ln softmax[target].
    double (*cross_entropy_backward)(float *logits, const uint8_t *targets, size_t rows,
                                     size_t width, float scale);
    // w, m and v are [count]; g is left as it is.
    void (*adam)(float *w, const float *g, float *m, float *v, size_t count,
                 const struct cambium_adam *rule);
    // One token's neurons of a table [n, 2, width] of rows u, v: hidden[e] = u . x, value[e] =
    // gelu(hidden), slope[e] its derivative, out += sum of gates[e] * value[e] * v.
    void (*picks)(const float *table, const uint32_t *ids, const float *gates, size_t count,
                  size_t width, const float *x, float *value, float *slope, float *out);
    // Their gradients: dgate[e] = value[e] * (v . dout), dhidden[e] = gates[e] * slope[e] * (v . dout),
    // dx += sum of dhidden[e] * u, when dx is not NULL.
    void (*picks_backward)(const float *table, const uint32_t *ids, const float *gates,
                           size_t count, size_t width, const float *dout, const float *value,
                           const float *slope, float *dgate, float *dhidden, float *dx);
    // Adds scale times the gradients of `count` experts to their rows. The i-th one's picks are
    // order[starts[i]..<starts[i + 1]], in this order: du += dhidden[p] * x[p / per_token], dv +=
    // gates[p] * value[p] * dout[p / per_token]; its rows u, v are the targets[i]-th pair of `rows`.
    void (*row_gradients)(const float *x, const float *dout, const uint32_t *order,
                          const uint32_t *starts, const uint32_t *targets, size_t count,
                          size_t per_token, const float *dhidden, const float *gates,
                          const float *value, size_t width, float scale, float *rows);
    // One side of a product-key router. Group g, of head g mod heads, picked ids[g, 0..<top_k], of
    // which ids / divisor mod count is the sub-key; a score is query . key. dqueries (overwritten)
    // and dkeys (added to) get their gradients. Queries are `stride` apart, heads' keys `set_stride`
    // (0 when they share them).
    void (*key_gradients)(const uint32_t *ids, const float *dscores, size_t groups, size_t top_k,
                          size_t divisor, size_t count, size_t heads, size_t set_stride,
                          const float *keys, const float *queries, size_t stride, size_t half,
                          float *dqueries, float *dkeys);
    // dscores[e] = gates[e] * (dgate[e] - sum of gates * dgate); rows of [count].
    void (*softmax_backward)(const float *gates, const float *dgate, size_t rows, size_t count,
                             float *dscores);
    // Sum of x[i]^2: 1024 at a time in 16 lanes, those sums in double.
    double (*square_sum)(const float *x, size_t count);
    // x += the rows of hashed experts, in the order of a token's ids: ids is [tokens, per_token], at
    // most 8 a token; row i is rows + places[i] * width, and absent where places[i] is 0.
    void (*add_hashed)(const float *rows, const uint32_t *places, const uint32_t *ids,
                       size_t tokens, size_t per_token, size_t width, float *x);
    // A step of Adagrad with one sum for each row (Duchi et al., 2011), of rows ids[0..<count] that
    // are all there. With G the sum of dx over the tokens of a row's picks order[starts[e]..<starts[e +
    // 1]], sums[place] += mean(G^2) and row -= rate * factors[e] / (sqrt(sums[place]) + 1e-12) * G;
    // factors may be NULL for 1. scratch holds width floats.
    void (*adagrad_hashed)(float *rows, const uint32_t *places, float *sums, const uint32_t *ids,
                           const uint32_t *order, const uint32_t *starts, size_t count,
                           size_t per_token, const float *dx, size_t width, float rate,
                           const float *factors, float *scratch);
};

// The table that goes with a variant of cambium_variants.h.
const struct cambium_training *cambium_training_of(const struct cambium_variant *variant);

// The one of the active variant.
const struct cambium_training *cambium_training_active(void);

#endif
