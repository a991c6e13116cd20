// The kernels of training: gradients of the layers, and optimisers. OpenBLAS does their products of
// matrices. As elsewhere every variant gives the same bits; all matrices are row-major, and no
// function keeps a pointer or allocates memory.
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

// One per instruction set; the fields tell what each computes.
struct cambium_training {
    const char *name;
    // dx += gradient of y = x / sqrt(mean(x^2) + epsilon) * weight; dweight += its own. x, dy and dx
    // are [tokens, width], weight and dweight [width]; both NULL for none.
    void (*rms_norm_backward)(const float *x, const float *weight, const float *dy, size_t tokens,
                              size_t width, float epsilon, float *dx, float *dweight);
    // Gradients of y = silu(gate) * up; all [count]. dgate and dup are overwritten.
    void (*silu_gate_backward)(const float *gate, const float *up, const float *dy, size_t count,
                               float *dgate, float *dup);
    // value = x Phi(x), slope = Phi(x) + x phi(x); all [count].
    void (*gelu_slope)(const float *x, size_t count, float *value, float *slope);
    // Rows first..<first + rows of causal attention: row i becomes the softmax of scale * its first
    // i + 1 scores; the rest of its `width` elements becomes 0. scores is [rows, stride].
    void (*causal_softmax)(float *scores, size_t first, size_t rows, size_t width, size_t stride,
                           float scale);
    // Its gradient: dp becomes that of the scores. p and dp are [rows, stride].
    void (*causal_softmax_backward)(const float *p, float *dp, size_t first, size_t rows,
                                    size_t width, size_t stride, float scale);
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
    // One expert's gradient over the picks order[0..<count], in this order: du += dhidden[p] *
    // x[p / per_token], dv += gates[p] * value[p] * dout[p / per_token]; gradient is [2, width].
    void (*row_gradient)(const float *x, const float *dout, const uint32_t *order, size_t count,
                         size_t per_token, const float *dhidden, const float *gates,
                         const float *value, size_t width, float *gradient);
    // dscores[e] = gates[e] * (dgate[e] - sum of gates * dgate); rows of [count].
    void (*softmax_backward)(const float *gates, const float *dgate, size_t rows, size_t count,
                             float *dscores);
    // Sum of x[i]^2: 1024 at a time in 16 lanes, those sums in double.
    double (*square_sum)(const float *x, size_t count);
};

// The table that goes with a variant of cambium_variants.h.
const struct cambium_training *cambium_training_of(const struct cambium_variant *variant);

// The one of the active variant.
const struct cambium_training *cambium_training_active(void);

#endif
