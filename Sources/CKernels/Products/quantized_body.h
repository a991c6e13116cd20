// Products with a quantised matrix, packed as [panel][pair of columns][16 rows][2]: integers, exact in
// any order. Included by scalar.c, avx2.c and avx512.c with QUANTIZED_SUM, which computes 16 sums.

// out[t, r] = (sum over k of x[t, k] * w[r, k]) * row_scales[r] * x_scales[t], each product rounded
// in this order.
static void quantized_products(const int8_t *packed, const float *row_scales, size_t rows,
                               size_t pairs, size_t first_panel, size_t end_panel,
                               const int16_t *x, const float *x_scales, size_t tokens, float *out,
                               size_t out_stride) {
    for (size_t p = first_panel; p < end_panel; p++) {
        const int8_t *panel = packed + p * pairs * 2 * LANES;
        size_t valid = rows - p * LANES < LANES ? rows - p * LANES : LANES;
        float scales[LANES] = {0};
        memcpy(scales, row_scales + p * LANES, valid * sizeof(float));
        for (size_t t = 0; t < tokens;) {
            size_t together = tokens - t >= 4 ? 4 : 1;
            int_lanes sums[4];
            if (together == 4) {
                QUANTIZED_SUM(panel, pairs, x + t * 2 * pairs, 4, sums);
            } else {
                QUANTIZED_SUM(panel, pairs, x + t * 2 * pairs, 1, sums);
            }
            for (size_t i = 0; i < together; i++, t++) {
                lanes values = __builtin_convertvector(sums[i], lanes);
                values = values * *(const lanes *)scales;
                values = values * all(x_scales[t]);
                memcpy(out + t * out_stride + p * LANES, &values, valid * sizeof(float));
            }
        }
    }
}
