// Products of rows with many vectors: a few rows are widened to floats once, a part of their width at a time, and meet
// the vectors from there, with the same chains as dot_tile. Included by rows_body.h.

enum {
    // Vectors from which that is worth it, and vectors that meet a widened part of the rows.
    WIDE_MIN = 8,
    WIDE_TOKENS = 32,
    // Elements of a row that are widened together, and from one row to the next: not a multiple of a page, so that four rows
    // do not fall on the same lines of the cache.
    WIDE_ELEMENTS = 1024,
    WIDE_STRIDE = WIDE_ELEMENTS + LANES,
};

// Some rows from `first` on, `count` elements from `from` on; a last vector that is not whole ends with zeros.
INLINE void widen_floats(const char *rows, size_t width, size_t first, size_t from, size_t count,
                         float *wide, enum row_type type) {
    for (int r = 0; r < ROW_GROUP; r++, wide += WIDE_STRIDE) {
        const char *row = rows + ((first + (size_t)r) * width + from) * row_element(type);
        size_t i = 0;
        for (; i + LANES <= count; i += LANES) *(lanes *)(wide + i) = row_lanes(row, i, type);
        if (i < count) {
            char tail[LANES * sizeof(float)] = {0};
            memcpy(tail, row + i * row_element(type), (count - i) * row_element(type));
            *(lanes *)(wide + i) = row_lanes(tail, 0, type);
        }
    }
}

// A part of four rows with `tokens` vectors: goes on with the sums, or begins or ends them.
INLINE void wide_tile(const float *wide, size_t stride, size_t from, size_t count, int is_first, int is_last,
                      const float *const *x, lanes kept[ROW_GROUP][ROW_GROUP], float *out,
                      size_t out_stride, int tokens) {
    lanes sums[ROW_GROUP][ROW_GROUP];
    for (int r = 0; r < ROW_GROUP; r++) {
        for (int t = 0; t < tokens; t++) sums[r][t] = is_first ? all(0) : kept[r][t];
    }
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        lanes weights[ROW_GROUP];
        for (int r = 0; r < ROW_GROUP; r++) weights[r] = *(const lanes *)(wide + (size_t)r * stride + i);
        for (int t = 0; t < tokens; t++) {
            lanes value = *(const lanes *)(x[t] + from + i);
            for (int r = 0; r < ROW_GROUP; r++) sums[r][t] = fused(value, weights[r], sums[r][t]);
        }
    }
    if (i < count) {
        for (int t = 0; t < tokens; t++) {
            lanes value = all(0);
            memcpy(&value, x[t] + from + i, (count - i) * sizeof(float));
            for (int r = 0; r < ROW_GROUP; r++) {
                sums[r][t] = fused(value, *(const lanes *)(wide + (size_t)r * stride + i), sums[r][t]);
            }
        }
    }
    if (is_last) {
        add_up(sums, out, 1, out_stride, ROW_GROUP, tokens);
    } else {
        for (int r = 0; r < ROW_GROUP; r++) {
            for (int t = 0; t < tokens; t++) kept[r][t] = sums[r][t];
        }
    }
}

// A widened part of four rows with up to WIDE_TOKENS vectors.
INLINE void wide_tiles(const float *wide, size_t stride, size_t from, size_t count, size_t width,
                       const float *const *x, size_t tokens,
                       lanes kept[WIDE_TOKENS / ROW_TOKENS][ROW_GROUP][ROW_GROUP], float *out,
                       size_t out_stride) {
    int is_first = from == 0, is_last = from + count == width;
    size_t t = 0;
#define TILE(n)                                                                               \
    wide_tile(wide, stride, from, count, is_first, is_last, x + t, kept[t / ROW_TOKENS],      \
              out + t * out_stride, out_stride, n)
    TOKEN_TILES(tokens, t, TILE)
#undef TILE
}

// WIDEN(first, from, count, wide) widens four rows; ONE(row) makes a row's products with all vectors.
#define WIDE_PRODUCTS(WIDEN, ONE)                                                             \
    lanes kept[WIDE_TOKENS / ROW_TOKENS][ROW_GROUP][ROW_GROUP];                               \
    _Alignas(64) float wide[ROW_GROUP * WIDE_STRIDE];                                         \
    size_t whole = count / ROW_GROUP * ROW_GROUP;                                             \
    for (size_t t = 0; t < tokens; t += WIDE_TOKENS) {                                        \
        size_t together = tokens - t < WIDE_TOKENS ? tokens - t : WIDE_TOKENS;                \
        for (size_t r = 0; r < whole; r += ROW_GROUP) {                                       \
            size_t from = 0;                                                                  \
            do {                                                                              \
                size_t part = width - from < WIDE_ELEMENTS ? width - from : WIDE_ELEMENTS;    \
                WIDEN(r, from, part, wide);                                                   \
                wide_tiles(wide, WIDE_STRIDE, from, part, width, x + t, together, kept,       \
                           out + t * out_stride + r, out_stride);                             \
                from += part;                                                                 \
            } while (from < width);                                                           \
        }                                                                                     \
    }                                                                                         \
    for (size_t r = whole; r < count; r++) { ONE(r); }

INLINE void wide_row_products(const char *rows, size_t count, size_t width, const float *const *x,
                              size_t tokens, float *out, size_t out_stride, enum row_type type) {
    size_t stride = width * row_element(type);
    // Rows of floats are wide as they are.
    if (type == ROW_F32) {
        size_t whole = count / ROW_GROUP * ROW_GROUP;
        for (size_t t = 0; t < tokens; t += WIDE_TOKENS) {
            size_t together = tokens - t < WIDE_TOKENS ? tokens - t : WIDE_TOKENS;
            row_products_of(rows, whole, width, x + t, together, out + t * out_stride, out_stride, type);
        }
        if (whole < count) {
            row_products_of(rows + whole * stride, count - whole, width, x, tokens, out + whole,
                            out_stride, type);
        }
        return;
    }
#define WIDEN(first, from, part, wide) widen_floats(rows, width, first, from, part, wide, type)
#define ONE(row)                                                                              \
    for (size_t t = 0; t < tokens; t++)                                                       \
        dot_tile(rows + (row) * stride, stride, width, x + t, out + t * out_stride + (row), 1, \
                 out_stride, type, 1, 1)
    WIDE_PRODUCTS(WIDEN, ONE)
#undef WIDEN
#undef ONE
}
