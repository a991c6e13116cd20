// Neuron experts on the rows where they are mapped. Included by variant_body.h.

enum { NEURON_GROUP = 16 };

INLINE void fetch_ahead(const char *bytes, size_t count) {
    for (size_t i = 0; i < count; i += 64) __builtin_prefetch(bytes + i, 0, 3);
}

// `rows` dots side by side: each has its own lanes, so their order is that of dot_of.
INLINE void row_group_dots(const float *x, const char *const *rows, size_t width, float *out,
                           enum row_type type, int count) {
    lanes sums[4];
    for (int r = 0; r < count; r++) sums[r] = all(0);
    size_t i = 0;
    for (; i + LANES <= width; i += LANES) {
        lanes value = *(const lanes *)(x + i);
        for (int r = 0; r < count; r++) {
            sums[r] = fused(value, row_lanes(rows[r], i, type), sums[r]);
        }
    }
    for (size_t l = 0; i < width; i++, l++) {
        for (int r = 0; r < count; r++) {
            sums[r][l] = __builtin_fmaf(x[i], row_value(rows[r], i, type), sums[r][l]);
        }
    }
    for (int r = 0; r < count; r++) out[r] = lane_sum(sums[r]);
}

// out += a[0] rows[0] + a[1] rows[1] + ..., element by element in this order.
INLINE void row_group_axpy(const float *a, const char *const *rows, size_t width, float *out,
                           enum row_type type, int count) {
    size_t i = 0;
    for (; i + LANES <= width; i += LANES) {
        lanes sum = *(const lanes *)(out + i);
        for (int r = 0; r < count; r++) sum = fused(all(a[r]), row_lanes(rows[r], i, type), sum);
        *(lanes *)(out + i) = sum;
    }
    for (; i < width; i++) {
        for (int r = 0; r < count; r++) {
            out[i] = __builtin_fmaf(a[r], row_value(rows[r], i, type), out[i]);
        }
    }
}

INLINE float row_scale(const char *expert, size_t width, size_t row) {
    float scale;
    memcpy(&scale, expert + 2 * width + 4 * row, sizeof scale);
    return scale;
}

INLINE void neuron_group(const float *x, const char *const *experts, const float *gates,
                         size_t count, size_t width, float *out, enum row_type type) {
    const char *second[NEURON_GROUP];
    float values[NEURON_GROUP];
    size_t row = width * row_element(type);
    for (size_t e = 0; e < count; e++) second[e] = experts[e] + row;
    size_t e = 0;
    for (; e + 4 <= count; e += 4) row_group_dots(x, experts + e, width, values + e, type, 4);
    for (; e < count; e++) row_group_dots(x, experts + e, width, values + e, type, 1);
    if (type == ROW_I8) {
        for (e = 0; e < count; e++) values[e] = values[e] * row_scale(experts[e], width, 0);
    }
    for (e = count; e < NEURON_GROUP; e++) values[e] = 0;
    for (e = 0; e < NEURON_GROUP; e++) values[e] = gelu_of(values[e]);
    for (e = 0; e < count; e++) {
        values[e] = gates[e] * values[e];
        if (type == ROW_I8) values[e] = values[e] * row_scale(experts[e], width, 1);
    }
    for (e = 0; e + 4 <= count; e += 4) {
        row_group_axpy(values + e, second + e, width, out, type, 4);
    }
    for (; e < count; e++) row_group_axpy(values + e, second + e, width, out, type, 1);
}

INLINE void neurons_of(const float *x, const char *const *experts, const float *gates,
                       size_t count, size_t width, float *out, enum row_type type) {
    size_t size = 2 * width * row_element(type) + (type == ROW_I8 ? 8 : 0);
    for (size_t e = 0; e < count && e < NEURON_GROUP; e++) fetch_ahead(experts[e], size);
    for (size_t first = 0; first < count; first += NEURON_GROUP) {
        size_t left = count - first < NEURON_GROUP ? count - first : NEURON_GROUP;
        size_t next = first + NEURON_GROUP;
        for (size_t e = next; e < count && e < next + NEURON_GROUP; e++) {
            fetch_ahead(experts[e], size);
        }
        neuron_group(x, experts + first, gates + first, left, width, out, type);
    }
}

static void neurons(const float *x, const void *const *experts, const float *gates, size_t count,
                    size_t width, enum cambium_expert_type type, float *out) {
    const char *const *rows = (const char *const *)experts;
    switch (type) {
    case CAMBIUM_EXPERT_F32: neurons_of(x, rows, gates, count, width, out, ROW_F32); break;
    case CAMBIUM_EXPERT_BF16: neurons_of(x, rows, gates, count, width, out, ROW_BF16); break;
    case CAMBIUM_EXPERT_I8: neurons_of(x, rows, gates, count, width, out, ROW_I8); break;
    }
}
