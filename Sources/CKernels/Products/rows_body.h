// Products with matrices whose rows are read where they are stored. Included by variant_body.h, which
// defines ROW_TOKENS: tokens that share one look at four rows, as many as the registers hold.

enum { ROW_GROUP = 4 };

// out[t * out_stride + r * step] = the sum of the lanes of sums[r][t]; several tokens have a step of 1.
INLINE void add_up(lanes sums[ROW_GROUP][ROW_GROUP], float *out, size_t step, size_t out_stride, int rows,
                   int tokens) {
    if (rows == ROW_GROUP && tokens == ROW_GROUP) {
        lane_sums_of_tile(sums, out, out_stride);
    } else if (rows == ROW_GROUP) {
        for (int t = 0; t < tokens; t++) {
            float found[ROW_GROUP];
            lane_sums(sums[0][t], sums[1][t], sums[2][t], sums[3][t], found);
            for (int r = 0; r < ROW_GROUP; r++) out[(size_t)t * out_stride + (size_t)r * step] = found[r];
        }
    } else {
        for (int r = 0; r < rows; r++) {
            for (int t = 0; t < tokens; t++) {
                out[(size_t)t * out_stride + (size_t)r * step] = lane_sum(sums[r][t]);
            }
        }
    }
}

// The products of `rows` rows, `stride` bytes apart, with `tokens` vectors: in each lane one chain of
// fused additions, the lanes added up by lane_sum. The elements behind the last whole vector meet zeros.
// out[t * out_stride + r * step] is that of row r with vector t.
INLINE void dot_tile(const char *row, size_t stride, size_t width, const float *const *x, float *out,
                     size_t step, size_t out_stride, enum row_type type, int rows, int tokens) {
    size_t i = 0;
    lanes sums[ROW_GROUP][ROW_GROUP];
    for (int r = 0; r < rows; r++) {
        for (int t = 0; t < tokens; t++) sums[r][t] = all(0);
    }
    for (; i + LANES <= width; i += LANES) {
        lanes weights[ROW_GROUP];
        for (int r = 0; r < rows; r++) weights[r] = row_lanes(row + (size_t)r * stride, i, type);
        for (int t = 0; t < tokens; t++) {
            lanes value = *(const lanes *)(x[t] + i);
            for (int r = 0; r < rows; r++) sums[r][t] = fused(value, weights[r], sums[r][t]);
        }
    }
    if (i < width) {
        for (int r = 0; r < rows; r++) {
            char tail[LANES * sizeof(float)] = {0};
            memcpy(tail, row + (size_t)r * stride + i * row_element(type),
                   (width - i) * row_element(type));
            lanes weights = row_lanes(tail, 0, type);
            for (int t = 0; t < tokens; t++) {
                lanes value = all(0);
                memcpy(&value, x[t] + i, (width - i) * sizeof(float));
                sums[r][t] = fused(value, weights, sums[r][t]);
            }
        }
    }
    add_up(sums, out, step, out_stride, rows, tokens);
}

// Calls TILE(n) for tiles of ROW_TOKENS vectors, and one for those that are left.
#define TOKEN_TILES(tokens, t, TILE)                        \
    while (t + ROW_TOKENS <= tokens) { TILE(ROW_TOKENS); t += ROW_TOKENS; } \
    if (ROW_TOKENS > 1) {                             \
        switch (tokens - t) {                         \
        case 3: TILE(3); break;                       \
        case 2: TILE(2); break;                       \
        case 1: TILE(1); break;                       \
        }                                             \
    }

INLINE void row_products_of(const char *rows, size_t count, size_t width, const float *const *x,
                            size_t tokens, float *out, size_t out_stride, enum row_type type) {
    size_t stride = width * row_element(type), groups = count / ROW_GROUP;
    // One vector: four streams that are far apart, each through a quarter of the rows, come from memory
    // twice as fast as one stream of four rows at a time (16 against 8 GB/s for rows of 2 KiB).
    size_t step = tokens == 1 ? groups : 1;
    for (size_t g = 0; g < groups; g++) {
        size_t first = tokens == 1 ? g : g * ROW_GROUP, t = 0;
        const char *row = rows + first * stride;
#define TILE(n)                                                                              \
    dot_tile(row, step * stride, width, x + t, out + t * out_stride + first, step, out_stride, \
             type, ROW_GROUP, n)
        TOKEN_TILES(tokens, t, TILE)
#undef TILE
    }
    for (size_t r = groups * ROW_GROUP; r < count; r++) {
        for (size_t t = 0; t < tokens; t++) {
            dot_tile(rows + r * stride, stride, width, x + t, out + t * out_stride + r, 1,
                     out_stride, type, 1, 1);
        }
    }
}

#include "wide_body.h"

INLINE void row_sums_of(const char *rows, size_t count, size_t width, size_t columns,
                        const float *const *x, size_t tokens, float *out, size_t out_stride,
                        enum row_type type) {
    size_t stride = width * row_element(type), k = 0;
    const char *group[ROW_GROUP];
    for (; k + ROW_GROUP <= count; k += ROW_GROUP) {
        for (size_t r = 0; r < ROW_GROUP; r++) group[r] = rows + (k + r) * stride;
        for (size_t t = 0; t < tokens; t++) {
            row_group_axpy(x[t] + k, group, columns, out + t * out_stride, type, ROW_GROUP);
        }
    }
    for (; k < count; k++) {
        group[0] = rows + k * stride;
        for (size_t t = 0; t < tokens; t++) {
            row_group_axpy(x[t] + k, group, columns, out + t * out_stride, type, 1);
        }
    }
}

// Calls the function with the constant that the type stands for.
#define BY_ROW_TYPE(function, ...)                                   \
    switch (type) {                                                  \
    case CAMBIUM_F32: function(__VA_ARGS__, ROW_F32); break;         \
    case CAMBIUM_BF16: function(__VA_ARGS__, ROW_BF16); break;       \
    case CAMBIUM_F16: function(__VA_ARGS__, ROW_F16); break;         \
    case CAMBIUM_F64: break;                                         \
    }

static void row_products(const void *rows, enum cambium_float_type type, size_t count, size_t width,
                         const float *const *x, size_t tokens, float *out, size_t out_stride) {
    if (tokens >= WIDE_MIN) {
        BY_ROW_TYPE(wide_row_products, rows, count, width, x, tokens, out, out_stride)
    } else {
        BY_ROW_TYPE(row_products_of, rows, count, width, x, tokens, out, out_stride)
    }
}

static void row_sums(const void *rows, enum cambium_float_type type, size_t count, size_t width,
                     size_t columns, const float *const *x, size_t tokens, float *out,
                     size_t out_stride) {
    BY_ROW_TYPE(row_sums_of, rows, count, width, columns, x, tokens, out, out_stride)
}

static void sigmoid_all(float *x, size_t count) {
    for (size_t i = 0; i < count; i++) x[i] = 1.0f / (1.0f + exp_of(-x[i]));
}

static void clamped_gate(const float *pairs, size_t count, float alpha, float limit, float *out) {
    for (size_t i = 0; i < count; i++) {
        float gate = pairs[2 * i], up = pairs[2 * i + 1];
        // A NaN passes every comparison by, and stays.
        gate = gate > limit ? limit : gate;
        up = up > limit ? limit : up < -limit ? -limit : up;
        out[i] = (up + 1.0f) * (gate / (1.0f + exp_of(-(gate * alpha))));
    }
}
