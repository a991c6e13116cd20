// Products with matrices of codes and scales, read where they are stored: a weight is its code times its scale,
// rounded once, and what follows is what rows_body.h does with the same weights as floats, bit for bit. Included by
// variant_body.h behind rows_body.h; NIBBLE_VALUES and HALF_NIBBLES look up 16 codes of 4 bits in a table of 16 numbers.


// What codes of 4 bits stand for.
static const float e2m1_values[16] = {0,     0.5f,  1,  1.5f,  2,  3,  4,  6,
                                      -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6};
static const float int4_values[16] = {-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7};

// 16 bytes of E4M3: exponent and fraction are moved to where a float has them, and the product with 2^120
// corrects the bias, also of subnormal numbers.
INLINE lanes e4m3_values(const char *codes) {
    typedef uint8_t code_lanes __attribute__((vector_size(16), aligned(1), may_alias));
    int_lanes bits = __builtin_convertvector(*(const code_lanes *)codes, int_lanes);
    int_lanes size = (bits & 0x7f) << 20, sign = (bits & 0x80) << 24;
    int_lanes special = (bits & 0x7f) == 0x7f;
    lanes values;
    memcpy(&values, &size, sizeof values);
    values = values * all(0x1p120f);
    memcpy(&size, &values, sizeof size);
    size = size | sign | (special & 0x7fc00000);
    memcpy(&values, &size, sizeof values);
    return values;
}

// 16 bytes with signs.
INLINE lanes int8_values(const char *codes) {
    typedef int8_t code_lanes __attribute__((vector_size(16), aligned(1), may_alias));
    return __builtin_convertvector(*(const code_lanes *)codes, lanes);
}

// Elements of codes whose halves of a byte are 16 apart, and the scale of which is one.
enum { HALVES = 2 * LANES };

// Bytes of codes of so many elements, which fill them.
INLINE size_t code_bytes(size_t elements, enum cambium_weight_code code) {
    return code == CAMBIUM_E4M3 || code == CAMBIUM_INT8 ? elements : elements / 2;
}

// What the codes of 4 bits stand for with a scale; nothing for others.
INLINE lanes scaled_values(float scale, enum cambium_weight_code code) {
    switch (code) {
    case CAMBIUM_E2M1: return *(const lanes *)e2m1_values * all(scale);
    case CAMBIUM_INT4:
    case CAMBIUM_INT4_HALVES: return *(const lanes *)int4_values * all(scale);
    case CAMBIUM_E4M3:
    case CAMBIUM_INT8: break;
    }
    return all(0);
}

INLINE lanes code_lanes_of(const char *codes, lanes values, float scale, enum cambium_weight_code code) {
    if (code == CAMBIUM_E4M3) return e4m3_values(codes) * all(scale);
    if (code == CAMBIUM_INT8) return int8_values(codes) * all(scale);
    return NIBBLE_VALUES(codes, values);
}

// 16 elements of a row from element `i` on, or as many as there are before `end`, which is no less; the others are 0.
INLINE lanes coded_lanes(const char *row, size_t i, size_t end, lanes values, float scale,
                         enum cambium_weight_code code, int is_whole) {
    if (code == CAMBIUM_INT4_HALVES) return HALF_NIBBLES(row + i / 32 * 16, i % 32 != 0, values);
    const char *codes = row + code_bytes(i, code);
    if (is_whole) return code_lanes_of(codes, values, scale, code);
    char tail[LANES] = {0};
    memcpy(tail, codes, code_bytes(end - i, code));
    lanes weights = code_lanes_of(tail, values, scale, code);
    for (size_t l = end - i; l < LANES; l++) weights[l] = 0;
    return weights;
}

// 16 elements of each row, times those of each vector, to the sums.
INLINE void coded_step(const char *const *row, size_t i, size_t end, const lanes *values, const float *scales,
                       const float *const *x, lanes sums[ROW_GROUP][ROW_GROUP],
                       enum cambium_weight_code code, int rows, int tokens, int is_whole) {
    lanes weights[ROW_GROUP];
    for (int r = 0; r < rows; r++) {
        weights[r] = coded_lanes(row[r], i, end, values[r], scales[r], code, is_whole);
    }
    for (int t = 0; t < tokens; t++) {
        lanes value = all(0);
        if (is_whole) {
            value = *(const lanes *)(x[t] + i);
        } else {
            memcpy(&value, x[t] + i, (end - i) * sizeof(float));
        }
        for (int r = 0; r < rows; r++) sums[r][t] = fused(value, weights[r], sums[r][t]);
    }
}

// 32 elements of each row, whose bytes are looked at once, times those of each vector, to the sums.
INLINE void halves_step(const char *const *row, size_t i, const lanes *values, const float *const *x,
                        lanes sums[ROW_GROUP][ROW_GROUP], int rows, int tokens) {
    lanes low[ROW_GROUP], high[ROW_GROUP];
    for (int r = 0; r < rows; r++) {
        low[r] = HALF_NIBBLES(row[r] + i / 2, 0, values[r]);
        high[r] = HALF_NIBBLES(row[r] + i / 2, 1, values[r]);
    }
    for (int t = 0; t < tokens; t++) {
        lanes first = *(const lanes *)(x[t] + i), second = *(const lanes *)(x[t] + i + LANES);
        for (int r = 0; r < rows; r++) {
            sums[r][t] = fused(second, high[r], fused(first, low[r], sums[r][t]));
        }
    }
}

// As dot_tile: rows `first`, `first` + step, ..., with `tokens` vectors.
INLINE void coded_tile(const struct cambium_coded_rows *matrix, size_t first, const float *const *x,
                       float *out, size_t step, size_t out_stride, enum cambium_weight_code code,
                       enum cambium_scale_type scale, int rows, int tokens) {
    size_t width = matrix->width, stride = code_bytes(width, code), places[ROW_GROUP];
    size_t group_width = matrix->scale_width;
    const char *row[ROW_GROUP], *all_scales = matrix->scales;
    lanes sums[ROW_GROUP][ROW_GROUP];
    for (int r = 0; r < rows; r++) {
        size_t number = first + (size_t)r * step;
        row[r] = (const char *)matrix->codes + number * stride;
        places[r] = scales_of_row(matrix, number);
        for (int t = 0; t < tokens; t++) sums[r][t] = all(0);
    }
    float found[ROW_GROUP][LANES];
    const float *scales[ROW_GROUP];
    for (size_t i = 0, group = 0; i < width; group++) {
        size_t end = width - i < group_width ? width : i + group_width;
        lanes values[ROW_GROUP];
        float scale_of[ROW_GROUP];
        if (group % LANES == 0) {
            // Rows of a few lines are over before the processor has seen where they go.
            for (int r = 0; r < rows && tokens == 1; r++) {
                for (size_t line = 0; line < 4; line++) {
                    __builtin_prefetch(row[r] + code_bytes(i, code) + 512 + 64 * line);
                }
            }
            size_t left = (width - i + group_width - 1) / group_width;
            for (int r = 0; r < rows; r++) {
                scales[r] = coded_scales(all_scales, places[r] + group, left < LANES ? left : LANES, scale,
                                         found[r]);
            }
        }
        for (int r = 0; r < rows; r++) {
            scale_of[r] = scales[r][group % LANES];
            values[r] = scaled_values(scale_of[r], code);
        }
        if (code == CAMBIUM_INT4_HALVES) {
            for (; i + HALVES <= end; i += HALVES) halves_step(row, i, values, x, sums, rows, tokens);
        }
        for (; i + LANES <= end; i += LANES) {
            coded_step(row, i, end, values, scale_of, x, sums, code, rows, tokens, 1);
        }
        if (i < end) coded_step(row, i, end, values, scale_of, x, sums, code, rows, tokens, 0);
        i = end;
    }
    add_up(sums, out, step, out_stride, rows, tokens);
}

// Some rows from `first` on, `count` elements from `from` on, as widen_floats.
INLINE void widen_codes(const struct cambium_coded_rows *matrix, size_t first, size_t from, size_t count,
                        float *wide, enum cambium_weight_code code, enum cambium_scale_type scale_type) {
    size_t stride = code_bytes(matrix->width, code), end = from + count;
    for (size_t r = first; r < first + ROW_GROUP; r++, wide += WIDE_STRIDE) {
        const char *row = (const char *)matrix->codes + r * stride;
        size_t group = from / matrix->scale_width, place = scales_of_row(matrix, r) + group;
        float found[LANES];
        const float *scales = found;
        for (size_t i = from, known = 0; i < end; place++, group++, known++) {
            size_t left = (group + 1) * matrix->scale_width - i;
            size_t last = end - i < left ? end : i + left;
            if (known % LANES == 0) {
                size_t groups = (end - 1) / matrix->scale_width - group + 1;
                scales = coded_scales(matrix->scales, place, groups < LANES ? groups : LANES, scale_type, found);
            }
            float scale = scales[known % LANES];
            lanes values = scaled_values(scale, code);
            if (code == CAMBIUM_INT4_HALVES) {
                for (; i + HALVES <= last; i += HALVES) {
                    *(lanes *)(wide + i - from) = HALF_NIBBLES(row + i / 2, 0, values);
                    *(lanes *)(wide + i - from + LANES) = HALF_NIBBLES(row + i / 2, 1, values);
                }
            }
            for (; i + LANES <= last; i += LANES) {
                *(lanes *)(wide + i - from) = coded_lanes(row, i, last, values, scale, code, 1);
            }
            if (i < last) *(lanes *)(wide + i - from) = coded_lanes(row, i, last, values, scale, code, 0);
            i = last;
        }
    }
}

INLINE void wide_coded_products(const struct cambium_coded_rows *matrix, size_t begin, size_t count,
                                const float *const *x, size_t tokens, float *out, size_t out_stride,
                                enum cambium_weight_code code, enum cambium_scale_type scale) {
    size_t width = matrix->width;
#define WIDEN(first, from, part, wide) widen_codes(matrix, begin + (first), from, part, wide, code, scale)
#define ONE(row)                                                                              \
    for (size_t t = 0; t < tokens; t++)                                                       \
        coded_tile(matrix, begin + (row), x + t, out + t * out_stride + (row), 1, out_stride, \
                   code, scale, 1, 1)
    WIDE_PRODUCTS(WIDEN, ONE)
#undef WIDEN
#undef ONE
}

INLINE void coded_products_of(const struct cambium_coded_rows *matrix, size_t from, size_t count,
                              const float *const *x, size_t tokens, float *out, size_t out_stride,
                              enum cambium_weight_code code, enum cambium_scale_type scale) {
    size_t groups = count / ROW_GROUP, step = tokens == 1 ? groups : 1;
    for (size_t g = 0; g < groups; g++) {
        size_t first = tokens == 1 ? g : g * ROW_GROUP, t = 0;
#define TILE(n)                                                                               \
    coded_tile(matrix, from + first, x + t, out + t * out_stride + first, step, out_stride,   \
               code, scale, ROW_GROUP, n)
        TOKEN_TILES(tokens, t, TILE)
#undef TILE
    }
    for (size_t r = groups * ROW_GROUP; r < count; r++) {
        for (size_t t = 0; t < tokens; t++) {
            coded_tile(matrix, from + r, x + t, out + t * out_stride + r, 1, out_stride, code, scale,
                       1, 1);
        }
    }
}

// As row_sums_of, a row for all tokens.
INLINE void coded_sums_of(const struct cambium_coded_rows *matrix, size_t first, size_t count,
                          const float *const *x, size_t tokens, float *out, size_t out_stride,
                          enum cambium_weight_code code, enum cambium_scale_type scale_type) {
    size_t width = matrix->width, stride = code_bytes(width, code);
    for (size_t k = 0; k < count; k++) {
        const char *row = (const char *)matrix->codes + (first + k) * stride;
        size_t place = scales_of_row(matrix, first + k);
        for (size_t i = 0; i < width; place++) {
            size_t end = width - i < matrix->scale_width ? width : i + matrix->scale_width;
            float scale = coded_scale(matrix->scales, place, scale_type);
            lanes values = scaled_values(scale, code);
            for (; i + LANES <= end; i += LANES) {
                lanes weights = coded_lanes(row, i, end, values, scale, code, 1);
                for (size_t t = 0; t < tokens; t++) {
                    lanes *sum = (lanes *)(out + t * out_stride + i);
                    *sum = fused(all(x[t][k]), weights, *sum);
                }
            }
            if (i < end) {
                lanes weights = coded_lanes(row, i, end, values, scale, code, 0);
                for (size_t t = 0; t < tokens; t++) {
                    float *sum = out + t * out_stride + i;
                    for (size_t l = 0; l < end - i; l++) {
                        sum[l] = __builtin_fmaf(x[t][k], weights[l], sum[l]);
                    }
                }
            }
            i = end;
        }
    }
}

// Calls the function with the constant that the code stands for; microscaled codes have scales of one kind.
#define BY_CODE(function, ...)                                                       \
    switch (matrix->code) {                                                          \
    case CAMBIUM_E4M3: function(__VA_ARGS__, CAMBIUM_E4M3, matrix->scale); break;    \
    case CAMBIUM_INT4: function(__VA_ARGS__, CAMBIUM_INT4, matrix->scale); break;    \
    case CAMBIUM_INT4_HALVES:                                                        \
        if (matrix->scale == CAMBIUM_SCALE_F16) {                                    \
            function(__VA_ARGS__, CAMBIUM_INT4_HALVES, CAMBIUM_SCALE_F16);           \
        } else {                                                                     \
            function(__VA_ARGS__, CAMBIUM_INT4_HALVES, matrix->scale);               \
        }                                                                            \
        break;                                                                       \
    case CAMBIUM_INT8: function(__VA_ARGS__, CAMBIUM_INT8, matrix->scale); break;    \
    case CAMBIUM_E2M1:                                                               \
        if (matrix->scale == CAMBIUM_SCALE_E8M0) {                                   \
            function(__VA_ARGS__, CAMBIUM_E2M1, CAMBIUM_SCALE_E8M0);                 \
        } else {                                                                     \
            function(__VA_ARGS__, CAMBIUM_E2M1, matrix->scale);                      \
        }                                                                            \
        break;                                                                       \
    }

static void coded_products(const struct cambium_coded_rows *matrix, size_t first, size_t count,
                           const float *const *x, size_t tokens, float *out, size_t out_stride) {
    if (tokens >= WIDE_MIN) {
        BY_CODE(wide_coded_products, matrix, first, count, x, tokens, out, out_stride)
    } else {
        BY_CODE(coded_products_of, matrix, first, count, x, tokens, out, out_stride)
    }
}

static void coded_sums(const struct cambium_coded_rows *matrix, size_t first, size_t count,
                       const float *const *x, size_t tokens, float *out, size_t out_stride) {
    BY_CODE(coded_sums_of, matrix, first, count, x, tokens, out, out_stride)
}
