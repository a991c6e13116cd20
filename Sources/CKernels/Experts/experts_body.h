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

// values[e] = gates[e] * gelu(u_e . x), times the scales of both rows of I8, for at most 16 experts.
INLINE void group_values(const float *x, const char *const *experts, const float *gates,
                         size_t count, size_t width, float *values, enum row_type type) {
    float group[NEURON_GROUP];
    size_t e = 0;
    for (; e + 4 <= count; e += 4) row_group_dots(x, experts + e, width, group + e, type, 4);
    for (; e < count; e++) row_group_dots(x, experts + e, width, group + e, type, 1);
    if (type == ROW_I8) {
        for (e = 0; e < count; e++) group[e] = group[e] * row_scale(experts[e], width, 0);
    }
    for (e = count; e < NEURON_GROUP; e++) group[e] = 0;
    for (e = 0; e < NEURON_GROUP; e++) group[e] = gelu_of(group[e]);
    for (e = 0; e < count; e++) {
        values[e] = gates[e] * group[e];
        if (type == ROW_I8) values[e] = values[e] * row_scale(experts[e], width, 1);
    }
}

// out[first..<end] += sum over e of values[e] * v_e, in the order of e.
INLINE void add_rows(const float *values, const char *const *experts, size_t count, size_t width,
                     size_t first, size_t end, float *out, enum row_type type) {
    const char *rows[NEURON_GROUP];
    size_t offset = (width + first) * row_element(type), e = 0;
    for (e = 0; e < count; e++) rows[e] = experts[e] + offset;
    for (e = 0; e + 4 <= count; e += 4) {
        row_group_axpy(values + e, rows + e, end - first, out + first, type, 4);
    }
    for (; e < count; e++) {
        row_group_axpy(values + e, rows + e, end - first, out + first, type, 1);
    }
}

// Calls `body` with groups of experts, the bytes of the next group on their way.
#define FOR_GROUPS(fetched, offset, body)                                                    \
    for (size_t e = 0; e < count && e < NEURON_GROUP; e++) {                                 \
        fetch_ahead(experts[e] + (offset), fetched);                                         \
    }                                                                                        \
    for (size_t at = 0; at < count; at += NEURON_GROUP) {                                    \
        size_t left = count - at < NEURON_GROUP ? count - at : NEURON_GROUP;                 \
        for (size_t e = at + NEURON_GROUP; e < count && e < at + 2 * NEURON_GROUP; e++) {    \
            fetch_ahead(experts[e] + (offset), fetched);                                     \
        }                                                                                    \
        body;                                                                                \
    }

INLINE void neurons_of(const float *x, const char *const *experts, const float *gates,
                       size_t count, size_t width, float *out, enum row_type type) {
    size_t size = 2 * width * row_element(type) + (type == ROW_I8 ? 8 : 0);
    FOR_GROUPS(size, 0, {
        float values[NEURON_GROUP];
        group_values(x, experts + at, gates + at, left, width, values, type);
        add_rows(values, experts + at, left, width, 0, width, out, type);
    })
}

INLINE void neuron_values_of(const float *x, const char *const *experts, const float *gates,
                             size_t count, size_t width, float *values, enum row_type type) {
    FOR_GROUPS(width * row_element(type), 0,
               group_values(x, experts + at, gates + at, left, width, values + at, type))
}

INLINE void neuron_sums_of(const float *values, const char *const *experts, size_t count,
                           size_t width, size_t first, size_t end, float *out,
                           enum row_type type) {
    FOR_GROUPS((end - first) * row_element(type), (width + first) * row_element(type),
               add_rows(values + at, experts + at, left, width, first, end, out, type))
}

// Calls the function with the constant that the type stands for.
#define BY_TYPE(function, ...)                                              \
    switch (type) {                                                         \
    case CAMBIUM_EXPERT_F32: function(__VA_ARGS__, ROW_F32); break;         \
    case CAMBIUM_EXPERT_BF16: function(__VA_ARGS__, ROW_BF16); break;       \
    case CAMBIUM_EXPERT_I8: function(__VA_ARGS__, ROW_I8); break;           \
    }

static void neurons(const float *x, const void *const *experts, const float *gates, size_t count,
                    size_t width, enum cambium_expert_type type, float *out) {
    const char *const *rows = (const char *const *)experts;
    BY_TYPE(neurons_of, x, rows, gates, count, width, out)
}

static void neuron_values(const float *x, const void *const *experts, const float *gates,
                          size_t count, size_t width, enum cambium_expert_type type,
                          float *values) {
    const char *const *rows = (const char *const *)experts;
    BY_TYPE(neuron_values_of, x, rows, gates, count, width, values)
}

static void neuron_sums(const float *values, const void *const *experts, size_t count,
                        size_t width, enum cambium_expert_type type, size_t first, size_t end,
                        float *out) {
    const char *const *rows = (const char *const *)experts;
    BY_TYPE(neuron_sums_of, values, rows, count, width, first, end, out)
}
