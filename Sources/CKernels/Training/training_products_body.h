// Products of matrices for training. Each output is one chain of fused additions in ascending order
// of what is summed, so the bits depend neither on the tiles nor on the instruction set. Included by
// training_body.h.

// Rows of a tile: its sums fill the registers. An instruction set with more of them defines its own.
#ifndef TILE_ROWS
#define TILE_ROWS 6
#endif

// Rows that stay in the cache while the panels pass, and of what is summed at a time.
enum { ROW_BLOCK = 192, DEPTH_BLOCK = CAMBIUM_GRADIENT_DEPTH };

// out[i, l] = sum over k of a[i * a_row + k * a_step] * panel[k, l], from out's own value on when it
// keeps that.
INLINE void sum_tile(const float *a, size_t a_row, size_t a_step, const float *panel, size_t depth,
                     float *out, size_t out_stride, size_t valid, int keeping, int rows) {
    lanes sums[TILE_ROWS];
    size_t bytes = valid * sizeof(float);
    for (int i = 0; i < rows; i++) {
        sums[i] = all(0);
        if (!keeping) continue;
        if (valid == LANES) sums[i] = *(const lanes *)(out + i * out_stride);
        else memcpy(&sums[i], out + i * out_stride, bytes);
    }
    for (size_t k = 0; k < depth; k++) {
        lanes row = *(const lanes *)(panel + k * LANES);
        for (int i = 0; i < rows; i++) {
            sums[i] = fused(all(a[i * a_row + k * a_step]), row, sums[i]);
        }
    }
    for (int i = 0; i < rows; i++) {
        if (valid == LANES) *(lanes *)(out + i * out_stride) = sums[i];
        else memcpy(out + i * out_stride, &sums[i], bytes);
    }
}

INLINE void sum_rows(const float *a, size_t a_row, size_t a_step, const float *panel, size_t depth,
                     float *out, size_t out_stride, size_t valid, int keeping, size_t rows) {
    size_t i = 0;
#define TILES(n)                                                                                \
    for (; i + n <= rows; i += n) {                                                             \
        sum_tile(a + i * a_row, a_row, a_step, panel, depth, out + i * out_stride, out_stride, \
                 valid, keeping, n);                                                            \
    }
    TILES(TILE_ROWS)
    TILES(4)
    TILES(1)
#undef TILES
}

INLINE size_t least(size_t a, size_t b) { return a < b ? a : b; }

static void panel_sums(const float *x, size_t x_stride, const float *panels, size_t tokens,
                       size_t depth, size_t outputs, float *out, size_t out_stride, int keeping) {
    for (size_t t = 0; t < tokens; t += ROW_BLOCK) {
        size_t rows = least(ROW_BLOCK, tokens - t);
        const float *block = x + t * x_stride;
        for (size_t c = 0; c < outputs; c += LANES) {
            sum_rows(block, x_stride, 1, panels + c * depth, depth, out + t * out_stride + c,
                     out_stride, least(LANES, outputs - c), keeping, rows);
        }
    }
}

// Panels of 16 columns, [ceil(columns / 16), rows, 16], with 0 behind the last column.
static void pack_columns(const float *x, size_t stride, size_t rows, size_t columns,
                         float *panels) {
    size_t c = 0;
    for (; c + LANES <= columns; c += LANES) {
        for (size_t r = 0; r < rows; r++, panels += LANES) {
            *(lanes *)panels = *(const lanes *)(x + r * stride + c);
        }
    }
    if (c == columns) return;
    for (size_t r = 0; r < rows; r++, panels += LANES) {
        *(lanes *)panels = all(0);
        memcpy(panels, x + r * stride + c, (columns - c) * sizeof(float));
    }
}

// Panels of 16 rows, [ceil(rows / 16), columns, 16], with 0 behind the last row.
static void pack_rows(const float *x, size_t stride, size_t rows, size_t columns, float *panels) {
    for (size_t r = 0; r < rows; r += LANES, panels += columns * LANES) {
        size_t count = least(LANES, rows - r);
        for (size_t k = 0; k < columns; k++) {
            const float *column = x + r * stride + k;
            lanes gathered = all(0);
            if (count == LANES) {
                for (size_t l = 0; l < LANES; l++) gathered[l] = column[l * stride];
            } else {
                for (size_t l = 0; l < count; l++) gathered[l] = column[l * stride];
            }
            *(lanes *)(panels + k * LANES) = gathered;
        }
    }
}

static void weight_gradient(const float *dy, size_t dy_stride, const float *x, size_t x_stride,
                            size_t tokens, size_t rows, size_t columns, float *scratch,
                            float *gradient) {
    float *gradients = scratch;
    float *inputs = scratch + DEPTH_BLOCK * ((rows + LANES - 1) / LANES * LANES);
    for (size_t t = 0; t < tokens; t += DEPTH_BLOCK) {
        size_t depth = least(DEPTH_BLOCK, tokens - t);
        pack_columns(dy + t * dy_stride, dy_stride, depth, rows, gradients);
        pack_columns(x + t * x_stride, x_stride, depth, columns, inputs);
        for (size_t c = 0; c < columns; c += LANES) {
            for (size_t r = 0; r < rows; r += LANES) {
                sum_rows(gradients + r * depth, 1, LANES, inputs + c * depth, depth,
                         gradient + r * columns + c, columns, least(LANES, columns - c), 1,
                         least(LANES, rows - r));
            }
        }
    }
}
