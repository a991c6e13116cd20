// The kernels of hashed experts, included by training_body.h: rows of a table that are found by `places`, by
// row 0 for none and the number of its memory otherwise.

enum { HASH_AHEAD = 4 };

// The memory of a row, and NULL of one that is absent.
INLINE const char *hashed_row(const float *rows, const uint32_t *places, uint32_t id,
                              size_t width) {
    uint32_t place = places[id];
    return place ? (const char *)(rows + (size_t)place * width) : NULL;
}

static void add_hashed(const float *rows, const uint32_t *places, const uint32_t *ids,
                       size_t tokens, size_t per_token, size_t width, float *x) {
    for (size_t t = 0; t < tokens; t++, ids += per_token, x += width) {
        const char *found[8];
        size_t count = 0, i = 0;
        if (t + 2 * HASH_AHEAD < tokens) {
            for (size_t p = 0; p < per_token; p++) {
                __builtin_prefetch(places + ids[2 * HASH_AHEAD * per_token + p], 0, 3);
            }
        }
        if (t + HASH_AHEAD < tokens) {
            for (size_t p = 0; p < per_token; p++) {
                const char *ahead =
                    hashed_row(rows, places, ids[HASH_AHEAD * per_token + p], width);
                if (ahead) fetch_ahead(ahead, 4 * width);
            }
        }
        for (size_t p = 0; p < per_token; p++) {
            found[count] = hashed_row(rows, places, ids[p], width);
            if (found[count]) count++;
        }
        for (; i + LANES <= width; i += LANES) {
            lanes sum = *(const lanes *)(x + i);
            for (size_t r = 0; r < count; r++) sum = sum + *(const lanes *)(found[r] + 4 * i);
            *(lanes *)(x + i) = sum;
        }
        for (; i < width; i++) {
            for (size_t r = 0; r < count; r++) x[i] = x[i] + ((const float *)found[r])[i];
        }
    }
}

// The gradient of a row: the sum over the tokens of its picks, in their order.
INLINE void hashed_gradient(const float *dx, const uint32_t *order, size_t count, size_t per_token,
                            size_t width, float *sum) {
    const float *first = dx + order[0] / per_token * width;
    for (size_t i = 0; i < width; i++) sum[i] = first[i];
    for (size_t p = 1; p < count; p++) {
        const float *next = dx + order[p] / per_token * width;
        size_t i = 0;
        for (; i + LANES <= width; i += LANES) {
            *(lanes *)(sum + i) = *(lanes *)(sum + i) + *(const lanes *)(next + i);
        }
        for (; i < width; i++) sum[i] = sum[i] + next[i];
    }
}

static void adagrad_hashed(float *rows, const uint32_t *places, float *sums, const uint32_t *ids,
                           const uint32_t *order, const uint32_t *starts, size_t count,
                           size_t per_token, const float *dx, size_t width, float rate,
                           const float *factors, float *scratch) {
    for (size_t e = 0; e < count; e++) {
        if (e + HASH_AHEAD < count) {
            size_t ahead = places[ids[e + HASH_AHEAD]];
            fetch_ahead((const char *)(rows + ahead * width), 4 * width);
            __builtin_prefetch(sums + ahead, 1, 3);
        }
        size_t place = places[ids[e]];
        float *row = rows + place * width;
        hashed_gradient(dx, order + starts[e], starts[e + 1] - starts[e], per_token, width, scratch);
        float square = dot_of(scratch, (const char *)scratch, width, ROW_F32) / (float)width;
        float sum = sums[place] + square;
        sums[place] = sum;
        float step = factors ? rate * factors[e] : rate;
        axpy_of(-(step / (__builtin_sqrtf(sum) + 1e-12f)), (const char *)scratch, row, width, ROW_F32);
    }
}
