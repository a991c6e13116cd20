// The source of the training kernels, which exist once per instruction set like those of
// variant_body.h, behind which it is included.

#include "cambium_training.h"

static void rms_norm_backward(const float *x, const float *weight, const float *dy, size_t tokens,
                              size_t width, float epsilon, float *dx, float *dweight) {
    for (size_t t = 0; t < tokens; t++, x += width, dy += width, dx += width) {
        float mean = dot_of(x, (const char *)x, width, ROW_F32) / (float)width;
        float scale = 1.0f / __builtin_sqrtf(mean + epsilon);
        lanes sums = {0};
        size_t i = 0;
        for (; i + LANES <= width; i += LANES) {
            lanes g = *(const lanes *)(dy + i);
            if (weight) g = g * *(const lanes *)(weight + i);
            sums = fused(g, *(const lanes *)(x + i), sums);
        }
        for (size_t l = 0; i < width; i++, l++) {
            float g = weight ? dy[i] * weight[i] : dy[i];
            sums[l] = __builtin_fmaf(g, x[i], sums[l]);
        }
        float along = lane_sum(sums) * scale * scale / (float)width;
        for (i = 0; i + LANES <= width; i += LANES) {
            lanes g = *(const lanes *)(dy + i), v = *(const lanes *)(x + i);
            if (dweight) {
                lanes *sum = (lanes *)(dweight + i);
                *sum = *sum + g * (v * all(scale));
            }
            if (weight) g = g * *(const lanes *)(weight + i);
            *(lanes *)(dx + i) = *(const lanes *)(dx + i) + all(scale) * (g - v * all(along));
        }
        for (; i < width; i++) {
            float g = weight ? dy[i] * weight[i] : dy[i];
            if (dweight) dweight[i] = dweight[i] + dy[i] * (x[i] * scale);
            dx[i] = dx[i] + scale * (g - x[i] * along);
        }
    }
}

static void silu_rows(const float *x, size_t tokens, size_t width, float *y) {
    for (size_t t = 0; t < tokens; t++, x += 2 * width, y += width) {
        for (size_t i = 0; i < width; i++) y[i] = x[i] / (1.0f + exp_of(-x[i])) * x[width + i];
    }
}

static void silu_rows_backward(const float *x, const float *dy, size_t tokens, size_t width,
                               float *dx) {
    for (size_t t = 0; t < tokens; t++, x += 2 * width, dy += width, dx += 2 * width) {
        for (size_t i = 0; i < width; i++) {
            float g = x[i], u = x[width + i], d = dy[i];
            float s = 1.0f / (1.0f + exp_of(-g));
            dx[width + i] = d * (g * s);
            dx[i] = d * u * (s * (1.0f + g * (1.0f - s)));
        }
    }
}

static void gelu_slope(const float *x, size_t count, float *value, float *slope) {
    for (size_t i = 0; i < count; i++) {
        float z = x[i], y = gelu_of(z);
        float density = 0.398942280401432678f * exp_of(-0.5f * (z * z));
        float size = z < 0 ? -z : z;
        float below = size > 1e-3f ? y / z : 0.5f + z * 0.398942280401432678f;
        value[i] = y;
        slope[i] = below + z * density;
    }
}

static double cross_entropy_backward(float *logits, const uint8_t *targets, size_t rows,
                                     size_t width, float scale) {
    double nats = 0;
    for (size_t r = 0; r < rows; r++, logits += width) {
        float largest = largest_of(logits, width), target = logits[targets[r]];
        float sum = exp_all(logits, width), factor = scale / sum;
        nats += (double)(log_of(sum) - (target - largest));
        for (size_t i = 0; i < width; i++) logits[i] = logits[i] * factor;
        logits[targets[r]] = logits[targets[r]] - scale;
    }
    return nats;
}

INLINE void adam_lanes(float *w, const float *g, float *m, float *v, const struct cambium_adam *a) {
    lanes gradient = *(const lanes *)g * all(a->scale);
    lanes first = fused(all(a->beta1), *(const lanes *)m, all(1.0f - a->beta1) * gradient);
    lanes second = fused(all(a->beta2), *(const lanes *)v,
                         all(1.0f - a->beta2) * (gradient * gradient));
    *(lanes *)m = first;
    *(lanes *)v = second;
    lanes root = __builtin_elementwise_sqrt(second * all(a->correction2));
    lanes step = first * all(a->correction1) / (root + all(a->epsilon));
    *(lanes *)w = fused(all(-a->rate), step, *(const lanes *)w * all(1.0f - a->rate * a->decay));
}

static void adam(float *w, const float *g, float *m, float *v, size_t count,
                 const struct cambium_adam *rule) {
    struct cambium_adam a = *rule;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) adam_lanes(w + i, g + i, m + i, v + i, &a);
    if (i == count) return;
    float weights[LANES] = {0}, gradient[LANES] = {0}, mean[LANES] = {0}, square[LANES] = {0};
    size_t bytes = (count - i) * sizeof(float);
    memcpy(weights, w + i, bytes);
    memcpy(gradient, g + i, bytes);
    memcpy(mean, m + i, bytes);
    memcpy(square, v + i, bytes);
    adam_lanes(weights, gradient, mean, square, &a);
    memcpy(w + i, weights, bytes);
    memcpy(m + i, mean, bytes);
    memcpy(v + i, square, bytes);
}

#include "training_products_body.h"
#include "training_attention_body.h"

enum { PICK_GROUP = 16 };

// Where a group's rows are, and a start on fetching the group behind it.
INLINE void pick_rows(const float *table, const uint32_t *ids, size_t first, size_t n,
                      size_t count, size_t width, size_t side, const char **rows) {
    for (size_t i = 0; i < n; i++) {
        rows[i] = (const char *)(table + ((size_t)ids[first + i] * 2 + side) * width);
        if (first + PICK_GROUP + i < count) {
            const float *ahead = table + (size_t)ids[first + PICK_GROUP + i] * 2 * width;
            fetch_ahead((const char *)ahead, 8 * width);
        }
    }
}

static void picks(const float *table, const uint32_t *ids, const float *gates, size_t count,
                  size_t width, const float *x, float *value, float *slope, float *out) {
    const char *rows[PICK_GROUP];
    float hidden[PICK_GROUP], weights[PICK_GROUP];
    for (size_t first = 0; first < count; first += PICK_GROUP) {
        size_t n = count - first < PICK_GROUP ? count - first : PICK_GROUP, e = 0;
        pick_rows(table, ids, first, n, count, width, 0, rows);
        for (; e + 4 <= n; e += 4) row_group_dots(x, rows + e, width, hidden + e, ROW_F32, 4);
        for (; e < n; e++) row_group_dots(x, rows + e, width, hidden + e, ROW_F32, 1);
        gelu_slope(hidden, n, value + first, slope + first);
        for (e = 0; e < n; e++) {
            weights[e] = gates[first + e] * value[first + e];
            rows[e] += 4 * width;
        }
        for (e = 0; e + 4 <= n; e += 4) row_group_axpy(weights + e, rows + e, width, out, ROW_F32, 4);
        for (; e < n; e++) row_group_axpy(weights + e, rows + e, width, out, ROW_F32, 1);
    }
}

static void picks_backward(const float *table, const uint32_t *ids, const float *gates,
                           size_t count, size_t width, const float *dout, const float *value,
                           const float *slope, float *dgate, float *dhidden, float *dx) {
    const char *rows[PICK_GROUP];
    float along[PICK_GROUP];
    for (size_t first = 0; first < count; first += PICK_GROUP) {
        size_t n = count - first < PICK_GROUP ? count - first : PICK_GROUP, e = 0;
        pick_rows(table, ids, first, n, count, width, 1, rows);
        for (; e + 4 <= n; e += 4) row_group_dots(dout, rows + e, width, along + e, ROW_F32, 4);
        for (; e < n; e++) row_group_dots(dout, rows + e, width, along + e, ROW_F32, 1);
        for (e = 0; e < n; e++) {
            size_t p = first + e;
            dgate[p] = value[p] * along[e];
            dhidden[p] = gates[p] * slope[p] * along[e];
            rows[e] -= 4 * width;
        }
        if (!dx) continue;
        const float *d = dhidden + first;
        for (e = 0; e + 4 <= n; e += 4) row_group_axpy(d + e, rows + e, width, dx, ROW_F32, 4);
        for (; e < n; e++) row_group_axpy(d + e, rows + e, width, dx, ROW_F32, 1);
    }
}

// One expert's gradient, times scale, over the picks order[0..<count].
INLINE void row_gradient(const float *x, const float *dout, const uint32_t *order, size_t count,
                         size_t per_token, const float *dhidden, const float *gates,
                         const float *value, size_t width, float scale, float *gradient) {
    for (size_t first = 0; first < count; first += 4) {
        size_t n = count - first < 4 ? count - first : 4;
        const char *inputs[4], *outputs[4];
        float hidden[4], weights[4];
        for (size_t i = 0; i < n; i++) {
            size_t p = order[first + i], token = p / per_token;
            inputs[i] = (const char *)(x + token * width);
            outputs[i] = (const char *)(dout + token * width);
            hidden[i] = scale * dhidden[p];
            weights[i] = scale * (gates[p] * value[p]);
        }
        if (n == 4) {
            row_group_axpy(hidden, inputs, width, gradient, ROW_F32, 4);
            row_group_axpy(weights, outputs, width, gradient + width, ROW_F32, 4);
            continue;
        }
        for (size_t i = 0; i < n; i++) {
            row_group_axpy(hidden + i, inputs + i, width, gradient, ROW_F32, 1);
            row_group_axpy(weights + i, outputs + i, width, gradient + width, ROW_F32, 1);
        }
    }
}

static void row_gradients(const float *x, const float *dout, const uint32_t *order,
                          const uint32_t *starts, const uint32_t *targets, size_t count,
                          size_t per_token, const float *dhidden, const float *gates,
                          const float *value, size_t width, float scale, float *rows) {
    for (size_t i = 0; i < count; i++) {
        if (i + 2 < count) {
            fetch_ahead((const char *)(rows + (size_t)targets[i + 2] * 2 * width), 8 * width);
        }
        row_gradient(x, dout, order + starts[i], starts[i + 1] - starts[i], per_token, dhidden,
                     gates, value, width, scale, rows + (size_t)targets[i] * 2 * width);
    }
}

static void key_gradients(const uint32_t *ids, const float *dscores, size_t groups, size_t top_k,
                          size_t divisor, size_t count, size_t heads, size_t set_stride,
                          const float *keys, const float *queries, size_t stride, size_t half,
                          float *dqueries, float *dkeys) {
    for (size_t g = 0; g < groups; g++, ids += top_k, dscores += top_k) {
        size_t set = g % heads * set_stride;
        const float *query = queries + g * stride;
        float *dquery = dqueries + g * stride;
        for (size_t i = 0; i < half; i++) dquery[i] = 0;
        for (size_t p = 0; p < top_k; p++) {
            size_t row = set + ids[p] / divisor % count * half;
            axpy_of(dscores[p], (const char *)(keys + row), dquery, half, ROW_F32);
            axpy_of(dscores[p], (const char *)query, dkeys + row, half, ROW_F32);
        }
    }
}

static void softmax_backward(const float *gates, const float *dgate, size_t rows, size_t count,
                             float *dscores) {
    for (size_t r = 0; r < rows; r++, gates += count, dgate += count, dscores += count) {
        float along = dot_of(gates, (const char *)dgate, count, ROW_F32);
        for (size_t i = 0; i < count; i++) dscores[i] = gates[i] * (dgate[i] - along);
    }
}

static double square_sum(const float *x, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i += 1024) {
        size_t n = count - i < 1024 ? count - i : 1024;
        sum += (double)dot_of(x + i, (const char *)(x + i), n, ROW_F32);
    }
    return sum;
}

#include "training_hash_body.h"

const struct cambium_training TRAINING = {
    .name = VARIANT_NAME,
    .rms_norm_backward = rms_norm_backward,
    .silu_rows = silu_rows,
    .silu_rows_backward = silu_rows_backward,
    .rotate_rows = rotate_rows,
    .gelu_slope = gelu_slope,
    .causal_attention = causal_attention,
    .causal_attention_backward = causal_attention_backward,
    .panel_sums = panel_sums,
    .pack_rows = pack_rows,
    .pack_columns = pack_columns,
    .weight_gradient = weight_gradient,
    .cross_entropy_backward = cross_entropy_backward,
    .adam = adam,
    .picks = picks,
    .picks_backward = picks_backward,
    .row_gradients = row_gradients,
    .key_gradients = key_gradients,
    .softmax_backward = softmax_backward,
    .square_sum = square_sum,
    .add_hashed = add_hashed,
    .adagrad_hashed = adagrad_hashed,
};
