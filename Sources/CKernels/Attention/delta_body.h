// The gated delta rule (2412.06464) and the short convolution in front of it. Included by variant_body.h.

// One token of one head: the state [keys, values] is multiplied with `decay`, what it holds of the key is moved towards
// the value by `rate`, and out = what it then holds of the query. Each element sums over the keys in their order.
static void delta_rule(float *state, const float *query, const float *key, const float *value,
                       float decay, float rate, size_t keys, size_t values, float *out) {
    size_t column = 0;
    for (; column + LANES <= values; column += LANES) {
        lanes held = {0}, sum = {0};
        for (size_t i = 0; i < keys; i++) {
            lanes *row = (lanes *)(state + i * values + column);
            lanes kept = *row * all(decay);
            *row = kept;
            held = fused(kept, all(key[i]), held);
        }
        lanes change = (*(const lanes *)(value + column) - held) * all(rate);
        for (size_t i = 0; i < keys; i++) {
            lanes *row = (lanes *)(state + i * values + column);
            lanes next = fused(all(key[i]), change, *row);
            *row = next;
            sum = fused(next, all(query[i]), sum);
        }
        *(lanes *)(out + column) = sum;
    }
    for (; column < values; column++) {
        float held = 0, sum = 0;
        for (size_t i = 0; i < keys; i++) {
            float *row = state + i * values + column;
            *row *= decay;
            held = __builtin_fmaf(*row, key[i], held);
        }
        float change = (value[column] - held) * rate;
        for (size_t i = 0; i < keys; i++) {
            float *row = state + i * values + column;
            *row = __builtin_fmaf(key[i], change, *row);
            sum = __builtin_fmaf(*row, query[i], sum);
        }
        out[column] = sum;
    }
}

// out = SiLU of the sum of `taps` rows, each multiplied element by element with its weights [taps, width].
static void convolve(const float *rows, const float *weights, size_t taps, size_t width,
                     float *out) {
    size_t i = 0;
    for (; i + LANES <= width; i += LANES) {
        lanes sum = {0};
        for (size_t tap = 0; tap < taps; tap++) {
            size_t at = tap * width + i;
            sum = fused(*(const lanes *)(rows + at), *(const lanes *)(weights + at), sum);
        }
        *(lanes *)(out + i) = sum;
    }
    for (; i < width; i++) {
        float sum = 0;
        for (size_t tap = 0; tap < taps; tap++) {
            sum = __builtin_fmaf(rows[tap * width + i], weights[tap * width + i], sum);
        }
        out[i] = sum;
    }
    for (i = 0; i < width; i++) out[i] = out[i] / (1.0f + exp_of(-out[i]));
}
