// Causal attention with a cache. Included by variant_body.h.

// A query alone has one chain of sums an element; so many of them run side by side.
enum { QUERIES = CAMBIUM_ATTENTION_ROWS, CHAINS = 4 };

// The scores of 16 keys, [head_size, 16], for each of `count` queries: one chain over the head's elements each.
INLINE void key_scores(const float *queries, const float *keys, size_t width, size_t head_size,
                       size_t capacity, float scale, float *scores, int count) {
    lanes sums[QUERIES];
    for (int q = 0; q < count; q++) sums[q] = all(0);
    for (size_t d = 0; d < head_size; d++) {
        lanes column = *(const lanes *)(keys + d * LANES);
        for (int q = 0; q < count; q++) sums[q] = fused(all(queries[q * width + d]), column, sums[q]);
    }
    for (int q = 0; q < count; q++) *(lanes *)(scores + q * capacity) = sums[q] * all(scale);
}

// The same of one query for several blocks of keys, `step` apart.
INLINE void key_scores_ahead(const float *query, const float *keys, size_t step, size_t head_size,
                             float scale, float *scores) {
    lanes sums[CHAINS];
    for (int b = 0; b < CHAINS; b++) sums[b] = all(0);
    for (size_t d = 0; d < head_size; d++) {
        lanes element = all(query[d]);
        for (int b = 0; b < CHAINS; b++) {
            sums[b] = fused(element, *(const lanes *)(keys + b * step + d * LANES), sums[b]);
        }
    }
    for (int b = 0; b < CHAINS; b++) *(lanes *)(scores + b * LANES) = sums[b] * all(scale);
}

// As weigh_values for one query, of several times 16 elements.
INLINE void weigh_values_ahead(const float *values, const float *scores, size_t start,
                               size_t length, size_t width, float inverse, float *out) {
    lanes sums[CHAINS];
    for (int b = 0; b < CHAINS; b++) sums[b] = all(0);
    for (size_t j = start; j < length; j++) {
        lanes score = all(scores[j]);
        for (int b = 0; b < CHAINS; b++) {
            sums[b] = fused(score, *(const lanes *)(values + j * width + b * LANES), sums[b]);
        }
    }
    for (int b = 0; b < CHAINS; b++) *(lanes *)(out + b * LANES) = sums[b] * all(inverse);
}

// 16 elements of the values that each query's scores weigh: one chain over its positions. Query q
// sees starts[q] ..< length + q.
INLINE void weigh_values(const float *values, const float *scores, const size_t *starts,
                         size_t length, size_t width, size_t capacity, const float *inverse,
                         float *out, size_t out_width, int count) {
    lanes sums[QUERIES];
    for (int q = 0; q < count; q++) sums[q] = all(0);
    // What all queries see, they read together; before it, and behind, each for itself.
    size_t first = starts[count - 1] < length ? starts[count - 1] : length;
    for (int q = 0; q < count; q++) {
        for (size_t j = starts[q]; j < first; j++) {
            lanes row = *(const lanes *)(values + j * width);
            sums[q] = fused(all(scores[q * capacity + j]), row, sums[q]);
        }
    }
    for (size_t j = first; j < length; j++) {
        lanes row = *(const lanes *)(values + j * width);
        for (int q = 0; q < count; q++) sums[q] = fused(all(scores[q * capacity + j]), row, sums[q]);
    }
    for (int q = 0; q < count; q++) {
        // A query sees one position more than the one before it.
        size_t j = starts[q] > length ? starts[q] : length;
        for (; j < length + (size_t)q; j++) {
            lanes row = *(const lanes *)(values + j * width);
            sums[q] = fused(all(scores[q * capacity + j]), row, sums[q]);
        }
        *(lanes *)(out + q * out_width) = sums[q] * all(inverse[q]);
    }
}

// One head of `count` adjacent tokens, of which the first sees `length` positions, or the window's
// last ones of them.
INLINE void attend(const struct cambium_attention_shape *shape, const float *queries,
                   const float *keys, const float *values, size_t length, float sink,
                   float *scores, float *out, int count) {
    size_t width = shape->heads * shape->key_size, capacity = shape->capacity;
    size_t value_width = shape->key_heads * shape->value_size;
    size_t out_width = shape->heads * shape->value_size;
    float inverse[QUERIES];
    size_t starts[QUERIES];
    for (int q = 0; q < count; q++) {
        size_t seen = length + (size_t)q;
        starts[q] = shape->window && seen > shape->window ? seen - shape->window : 0;
    }
    size_t step = shape->key_heads * shape->key_size * LANES, j = starts[0] / LANES * LANES;
    size_t end = length + (size_t)count - 1;
    if (count == 1) {
        for (; j + CHAINS * LANES <= end; j += CHAINS * LANES) {
            key_scores_ahead(queries, keys + j / LANES * step, step, shape->key_size, shape->scale,
                             scores + j);
        }
    }
    for (; j < end; j += LANES) {
        key_scores(queries, keys + j / LANES * step, width, shape->key_size, capacity, shape->scale,
                   scores + j, count);
    }
    for (int q = 0; q < count; q++) {
        inverse[q] = 1.0f / exp_all_with(scores + q * capacity + starts[q],
                                         length + (size_t)q - starts[q], sink);
    }
    size_t d = 0;
    if (count == 1) {
        for (; d + CHAINS * LANES <= shape->value_size; d += CHAINS * LANES) {
            weigh_values_ahead(values + d, scores, starts[0], length, value_width, inverse[0],
                               out + d);
        }
    }
    for (; d + LANES <= shape->value_size; d += LANES) {
        weigh_values(values + d, scores, starts, length, value_width, capacity, inverse, out + d,
                     out_width, count);
    }
    for (; d < shape->value_size; d++) {
        for (int q = 0; q < count; q++) {
            float sum = 0;
            for (size_t j = starts[q]; j < length + (size_t)q; j++) {
                sum = __builtin_fmaf(scores[q * capacity + j], values[j * value_width + d], sum);
            }
            out[q * out_width + d] = sum * inverse[q];
        }
    }
}

static void attention(const struct cambium_attention_shape *shape, const float *queries,
                      const float *keys, const float *values, size_t tokens, size_t first,
                      size_t first_head, size_t end_head, float *scores, float *out) {
    size_t width = shape->heads * shape->key_size, out_width = shape->heads * shape->value_size;
    for (size_t h = first_head; h < end_head; h++) {
        size_t key_head = h / (shape->heads / shape->key_heads), t = 0;
        const float *head_keys = keys + key_head * shape->key_size * LANES;
        const float *head_values = values + key_head * shape->value_size;
        const float *query = queries + h * shape->key_size;
        float *target = out + h * shape->value_size;
        float sink = shape->sinks ? shape->sinks[h] : -__builtin_inff();
        // Some queries together read each key and value once.
        for (; t + QUERIES <= tokens; t += QUERIES) {
            attend(shape, query + t * width, head_keys, head_values, first + t + 1, sink, scores,
                   target + t * out_width, QUERIES);
        }
        for (; t < tokens; t++) {
            attend(shape, query + t * width, head_keys, head_values, first + t + 1, sink, scores,
                   target + t * out_width, 1);
        }
    }
}

static void rope(float *x, const float *cosines, const float *sines, size_t tokens, size_t heads,
                 size_t head_size) {
    size_t half = head_size / 2;
    for (size_t t = 0; t < tokens; t++, cosines += half, sines += half) {
        for (size_t h = 0; h < heads; h++, x += head_size) {
            for (size_t i = 0; i < half; i++) {
                float a = x[i], b = x[i + half];
                x[i] = __builtin_fmaf(a, cosines[i], -(b * sines[i]));
                x[i + half] = __builtin_fmaf(b, cosines[i], a * sines[i]);
            }
        }
    }
}
