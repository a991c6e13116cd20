// Products with a packed matrix: panels of 16 outputs, [panel][column][16], each output one chain of
// fused additions in ascending column. So neither the batch, nor the tile, nor the thread that
// computes an output changes a bit. Included by variant_body.h.

// `tokens` rows of x times `panels` panels.
INLINE void product_tile(const float *packed, size_t columns, const float *x, size_t x_stride,
                         float *out, size_t out_stride, size_t valid, int tokens, int panels) {
    lanes sums[6][4];
    for (int t = 0; t < tokens; t++) {
        for (int p = 0; p < panels; p++) sums[t][p] = all(0);
    }
    for (size_t k = 0; k < columns; k++) {
        lanes weights[4];
        for (int p = 0; p < panels; p++) {
            weights[p] = *(const lanes *)(packed + (p * columns + k) * LANES);
        }
        for (int t = 0; t < tokens; t++) {
            lanes value = all(x[t * x_stride + k]);
            for (int p = 0; p < panels; p++) sums[t][p] = fused(value, weights[p], sums[t][p]);
        }
    }
    for (int t = 0; t < tokens; t++) {
        for (int p = 0; p < panels; p++) {
            size_t left = valid - p * LANES;
            memcpy(out + t * out_stride + p * LANES, &sums[t][p],
                   (left < LANES ? left : LANES) * sizeof(float));
        }
    }
}

INLINE void product_rows(const float *packed, size_t columns, size_t valid, const float *x,
                         size_t x_stride, size_t tokens, float *out, size_t out_stride,
                         int panels) {
    size_t t = 0;
#define TILE(n)                                                                                  \
    product_tile(packed, columns, x + t * x_stride, x_stride, out + t * out_stride, out_stride, \
                 valid, n, panels);                                                              \
    t += n
    if (panels == 1) {
        while (t + 6 <= tokens) { TILE(6); }
        switch (tokens - t) {
        case 5: TILE(5); break;
        case 4: TILE(4); break;
        case 3: TILE(3); break;
        case 2: TILE(2); break;
        }
    }
    if (panels == 2) {
        while (t + 3 <= tokens) { TILE(3); }
    }
    while (t < tokens) { TILE(1); }
#undef TILE
}

// out[t, r] = sum over k of x[t, k] * w[r, k], for the rows 16 * first_panel..<min(rows, 16 *
// end_panel).
static void panel_products(const float *packed, size_t rows, size_t columns, size_t first_panel,
                           size_t end_panel, const float *x, size_t x_stride, size_t tokens,
                           float *out, size_t out_stride) {
    size_t p = first_panel;
    // Few tokens: several panels at once, so that enough chains run side by side.
    size_t together = tokens <= 2 ? 4 : tokens <= 5 ? 2 : 1;
    for (; p < end_panel; p += together) {
        const float *panel = packed + p * columns * LANES;
        float *target = out + p * LANES;
        size_t valid = rows - p * LANES;
        size_t left = end_panel - p < together ? end_panel - p : together;
        if (left == 4) {
            product_rows(panel, columns, valid, x, x_stride, tokens, target, out_stride, 4);
        } else if (left == 2) {
            product_rows(panel, columns, valid, x, x_stride, tokens, target, out_stride, 2);
        } else {
            for (size_t q = 0; q < left; q++) {
                product_rows(panel + q * columns * LANES, columns, valid - q * LANES, x, x_stride,
                             tokens, target + q * LANES, out_stride, 1);
            }
        }
    }
}
