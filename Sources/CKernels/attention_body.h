// Causal attention with a cache. Included by variant_body.h.

// One head of one token: the scores of `length` keys by columns, then the values they weigh.
INLINE void attend(const float *query, const float *keys, const float *values, size_t length,
                   size_t width, size_t head_size, size_t capacity, float *scores, float *out) {
    float scale = 1.0f / __builtin_sqrtf((float)head_size);
    for (size_t j = 0; j < length; j += LANES) {
        lanes sums = {0};
        for (size_t d = 0; d < head_size; d++) {
            sums = fused(all(query[d]), *(const lanes *)(keys + d * capacity + j), sums);
        }
        *(lanes *)(scores + j) = sums * scale;
    }
    float inverse = 1.0f / exp_all(scores, length);
    size_t d = 0;
    for (; d + 2 * LANES <= head_size; d += 2 * LANES) {
        lanes low = {0}, high = {0};
        for (size_t j = 0; j < length; j++) {
            lanes score = all(scores[j]);
            low = fused(score, *(const lanes *)(values + j * width + d), low);
            high = fused(score, *(const lanes *)(values + j * width + d + LANES), high);
        }
        *(lanes *)(out + d) = low * inverse;
        *(lanes *)(out + d + LANES) = high * inverse;
    }
    for (; d + LANES <= head_size; d += LANES) {
        lanes sums = {0};
        for (size_t j = 0; j < length; j++) {
            sums = fused(all(scores[j]), *(const lanes *)(values + j * width + d), sums);
        }
        *(lanes *)(out + d) = sums * inverse;
    }
    for (; d < head_size; d++) {
        float sum = 0;
        for (size_t j = 0; j < length; j++) {
            sum = __builtin_fmaf(scores[j], values[j * width + d], sum);
        }
        out[d] = sum * inverse;
    }
}

static void attention(const float *queries, const float *keys, const float *values, size_t tokens,
                      size_t first, size_t heads, size_t first_head, size_t end_head,
                      size_t head_size, size_t capacity, float *scores, float *out) {
    size_t width = heads * head_size;
    for (size_t h = first_head; h < end_head; h++) {
        size_t at = h * head_size;
        for (size_t t = 0; t < tokens; t++) {
            attend(queries + t * width + at, keys + at * capacity, values + at, first + t + 1,
                   width, head_size, capacity, scores, out + t * width + at);
        }
    }
}
