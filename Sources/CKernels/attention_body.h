// Causal attention with a cache. Included by variant_body.h.

enum { QUERIES = CAMBIUM_ATTENTION_ROWS };

// The scores of 16 keys for each of `count` queries: one chain over the head's elements each.
INLINE void key_scores(const float *queries, const float *keys, size_t width, size_t head_size,
                       size_t capacity, float scale, float *scores, int count) {
    lanes sums[QUERIES];
    for (int q = 0; q < count; q++) sums[q] = all(0);
    for (size_t d = 0; d < head_size; d++) {
        lanes column = *(const lanes *)(keys + d * capacity);
        for (int q = 0; q < count; q++) sums[q] = fused(all(queries[q * width + d]), column, sums[q]);
    }
    for (int q = 0; q < count; q++) *(lanes *)(scores + q * capacity) = sums[q] * all(scale);
}

// 16 elements of the values that each query's scores weigh: one chain over its positions.
INLINE void weigh_values(const float *values, const float *scores, size_t length, size_t width,
                         size_t capacity, const float *inverse, float *out, int count) {
    lanes sums[QUERIES];
    for (int q = 0; q < count; q++) sums[q] = all(0);
    for (size_t j = 0; j < length; j++) {
        lanes row = *(const lanes *)(values + j * width);
        for (int q = 0; q < count; q++) sums[q] = fused(all(scores[q * capacity + j]), row, sums[q]);
    }
    for (int q = 0; q < count; q++) {
        // A query sees one position more than the one before it.
        for (size_t j = length; j < length + (size_t)q; j++) {
            lanes row = *(const lanes *)(values + j * width);
            sums[q] = fused(all(scores[q * capacity + j]), row, sums[q]);
        }
        *(lanes *)(out + q * width) = sums[q] * all(inverse[q]);
    }
}

// One head of `count` adjacent tokens, of which the first sees `length` positions.
INLINE void attend(const float *queries, const float *keys, const float *values, size_t length,
                   size_t width, size_t head_size, size_t capacity, float *scores, float *out,
                   int count) {
    float scale = 1.0f / __builtin_sqrtf((float)head_size), inverse[QUERIES];
    for (size_t j = 0; j < length + (size_t)count - 1; j += LANES) {
        key_scores(queries, keys + j, width, head_size, capacity, scale, scores + j, count);
    }
    for (int q = 0; q < count; q++) {
        inverse[q] = 1.0f / exp_all(scores + q * capacity, length + (size_t)q);
    }
    size_t d = 0;
    for (; d + LANES <= head_size; d += LANES) {
        weigh_values(values + d, scores, length, width, capacity, inverse, out + d, count);
    }
    for (; d < head_size; d++) {
        for (int q = 0; q < count; q++) {
            float sum = 0;
            for (size_t j = 0; j < length + (size_t)q; j++) {
                sum = __builtin_fmaf(scores[q * capacity + j], values[j * width + d], sum);
            }
            out[q * width + d] = sum * inverse[q];
        }
    }
}

static void attention(const float *queries, const float *keys, const float *values, size_t tokens,
                      size_t first, size_t heads, size_t first_head, size_t end_head,
                      size_t head_size, size_t capacity, float *scores, float *out) {
    size_t width = heads * head_size;
    for (size_t h = first_head; h < end_head; h++) {
        size_t at = h * head_size, t = 0;
        // Some queries together read each key and value once.
        for (; t + QUERIES <= tokens; t += QUERIES) {
            attend(queries + t * width + at, keys + at * capacity, values + at, first + t + 1,
                   width, head_size, capacity, scores, out + t * width + at, QUERIES);
        }
        for (; t < tokens; t++) {
            attend(queries + t * width + at, keys + at * capacity, values + at, first + t + 1,
                   width, head_size, capacity, scores, out + t * width + at, 1);
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
