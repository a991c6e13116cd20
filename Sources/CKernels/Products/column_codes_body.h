// Products with codes of 4 bits that lie by columns, as AWQ and GPTQ keep them: 16 outputs side by side, each one chain
// of fused additions in ascending order of the inputs, as row_sums_of has it. Included by variant_body.h behind
// rows_body.h.

typedef uint32_t word_lanes __attribute__((vector_size(64), aligned(1), may_alias));

// Where the codes of 8 adjacent outputs are in a word: one after the other, or as AWQ lays them.
static const word_lanes plain_shifts = {0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28};
static const word_lanes awq_shifts = {0, 16, 4, 20, 8, 24, 12, 28, 0, 16, 4, 20, 8, 24, 12, 28};

// The codes of 16 outputs in two words, or of 8 in one, of which each word is `more` than it is stored.
INLINE int_lanes word_codes(const char *words, word_lanes shifts, uint32_t more, int is_whole) {
    uint32_t w[2] = {0};
    memcpy(w, words, is_whole ? 8 : 4);
    w[0] += more;
    w[1] += more;
    word_lanes spread = {w[0], w[0], w[0], w[0], w[0], w[0], w[0], w[0],
                         w[1], w[1], w[1], w[1], w[1], w[1], w[1], w[1]};
    return (int_lanes)(spread >> shifts & 15);
}

// The codes of 16 outputs, or of 8, for one input.
INLINE int_lanes column_codes(const struct cambium_column_codes *matrix, size_t input, size_t output,
                              enum cambium_column_order order, int is_whole) {
    const char *codes = matrix->codes;
    if (order == CAMBIUM_AWQ) {
        return word_codes(codes + (input * matrix->outputs + output) / 2, awq_shifts, 0, is_whole);
    }
    word_lanes words = {0};
    memcpy(&words, codes + (input / 8 * matrix->outputs + output) * 4, is_whole ? 64 : 32);
    return (int_lanes)(words >> (uint32_t)(4 * (input % 8)) & 15);
}

INLINE lanes column_scales(const char *scales, enum cambium_scale_type type, int is_whole) {
    char values[32] = {0};
    memcpy(values, scales, is_whole ? 32 : 16);
    return row_lanes(values, 0, type == CAMBIUM_SCALE_F16 ? ROW_F16 : ROW_BF16);
}

// 16 outputs for each of `vectors`, or 8, and `tokens` inputs.
INLINE void column_tile(const struct cambium_column_codes *matrix, size_t output, const float *const *x,
                        float *out, size_t out_stride, enum cambium_column_order order, int vectors,
                        int tokens, int is_whole) {
    lanes sums[ROW_GROUP][ROW_GROUP];
    for (int v = 0; v < vectors; v++) {
        for (int t = 0; t < tokens; t++) sums[v][t] = all(0);
    }
    size_t outputs = matrix->outputs;
    const char *zeros = (const char *)matrix->zeros + output / 2;
    const char *scales = (const char *)matrix->scales + output * 2;
    for (size_t k = 0; k < matrix->inputs; zeros += outputs / 2, scales += outputs * 2) {
        size_t end = matrix->inputs - k < matrix->group ? matrix->inputs : k + matrix->group;
        int_lanes zero[ROW_GROUP];
        lanes scale[ROW_GROUP];
        for (int v = 0; v < vectors; v++) {
            zero[v] = word_codes(zeros + v * LANES / 2,
                                 order == CAMBIUM_AWQ ? awq_shifts : plain_shifts,
                                 (uint32_t)matrix->zero_step * 0x11111111, is_whole);
            scale[v] = column_scales(scales + v * LANES * 2, matrix->scale, is_whole);
        }
        for (; k < end; k++) {
            for (int v = 0; v < vectors; v++) {
                int_lanes codes =
                    column_codes(matrix, k, output + (size_t)v * LANES, order, is_whole);
                lanes weights = __builtin_convertvector(codes - zero[v], lanes) * scale[v];
                for (int t = 0; t < tokens; t++) {
                    sums[v][t] = fused(all(x[t][k]), weights, sums[v][t]);
                }
            }
        }
    }
    for (int v = 0; v < vectors; v++) {
        for (int t = 0; t < tokens; t++) {
            memcpy(out + (size_t)t * out_stride + v * LANES, &sums[v][t],
                   (is_whole ? LANES : LANES / 2) * sizeof(float));
        }
    }
}

INLINE void column_group(const struct cambium_column_codes *matrix, size_t output,
                         const float *const *x, size_t tokens, float *out, size_t out_stride,
                         enum cambium_column_order order, int vectors, int is_whole) {
    size_t t = 0;
    for (; t + ROW_TOKENS <= tokens; t += ROW_TOKENS) {
        column_tile(matrix, output, x + t, out + t * out_stride, out_stride, order, vectors,
                    ROW_TOKENS, is_whole);
    }
    for (; t < tokens; t++) {
        column_tile(matrix, output, x + t, out + t * out_stride, out_stride, order, vectors, 1,
                    is_whole);
    }
}

INLINE void column_products_of(const struct cambium_column_codes *matrix, size_t first, size_t count,
                               const float *const *x, size_t tokens, float *out, size_t out_stride,
                               enum cambium_column_order order) {
    size_t j = 0;
    for (; j + ROW_GROUP * LANES <= count; j += ROW_GROUP * LANES) {
        column_group(matrix, first + j, x, tokens, out + j, out_stride, order, ROW_GROUP, 1);
    }
    for (; j + LANES <= count; j += LANES) {
        column_group(matrix, first + j, x, tokens, out + j, out_stride, order, 1, 1);
    }
    if (j < count) column_group(matrix, first + j, x, tokens, out + j, out_stride, order, 1, 0);
}

static void column_products(const struct cambium_column_codes *matrix, size_t first, size_t count,
                            const float *const *x, size_t tokens, float *out, size_t out_stride) {
    if (matrix->order == CAMBIUM_AWQ) {
        column_products_of(matrix, first, count, x, tokens, out, out_stride, CAMBIUM_AWQ);
    } else {
        column_products_of(matrix, first, count, x, tokens, out, out_stride, CAMBIUM_GPTQ);
    }
}
