// Causal attention of one head over one window, and its gradient. Included by training_body.h.
//
// Tiles of queries run up to their last query's position, so what lies behind it costs little; of the
// probabilities, a tile's rows hold 0 from each query's own position to the tile's last.

enum { HEAD_TILE = TILE_ROWS };

INLINE size_t padded(size_t count) { return (count + LANES - 1) / LANES * LANES; }

// The softmax of scale times the first `seen` scores; 0 behind them up to `width`, a multiple of 16.
INLINE void weigh_scores(float *scores, size_t seen, size_t width, float scale) {
    for (size_t i = seen; i < width; i++) scores[i] = -__builtin_inff();
    float shift = largest_of(scores, width) * scale;
    lanes sums = {0};
    for (size_t i = 0; i < width; i += LANES) {
        for (size_t l = i; l < i + LANES; l++) {
            scores[l] = exp_of(__builtin_fmaf(scores[l], scale, -shift));
        }
        sums += *(const lanes *)(scores + i);
    }
    lanes inverse = all(1.0f / lane_sum(sums));
    for (size_t i = 0; i < width; i += LANES) {
        *(lanes *)(scores + i) = *(const lanes *)(scores + i) * inverse;
    }
}

// The gradient of the weights p becomes that of the scores; where p is 0 it is 0.
INLINE void weigh_scores_backward(const float *p, float *dp, size_t width, float scale) {
    float along = dot_of(p, (const char *)dp, width, ROW_F32);
    for (size_t i = 0; i < width; i += LANES) {
        lanes weights = *(const lanes *)(p + i), gradients = *(const lanes *)(dp + i);
        *(lanes *)(dp + i) = weights * (gradients - all(along)) * all(scale);
    }
}

// rows x columns sums of a (by rows) and panels [columns / 16, depth, 16], as many panels as needed.
INLINE void sum_block(const float *a, size_t a_row, size_t a_step, const float *panels,
                      size_t panel_size, size_t depth, size_t columns, float *out,
                      size_t out_stride, size_t rows) {
    for (size_t c = 0; c < columns; c += LANES, panels += panel_size) {
        sum_rows(a, a_row, a_step, panels, depth, out + c, out_stride, least(LANES, columns - c),
                 0, rows);
    }
}

static void causal_attention(const float *query, const float *key, const float *value,
                             size_t stride, size_t length, size_t size, float scale,
                             float *scratch, float *p, float *out, size_t out_stride) {
    size_t width = padded(length);
    float *keys = scratch, *values = keys + width * size;
    pack_rows(key, stride, length, size, keys);
    pack_columns(value, stride, length, size, values);
    for (size_t t = 0; t < length; t += HEAD_TILE) {
        size_t rows = least(HEAD_TILE, length - t), seen = t + rows;
        float *scores = p + t * width;
        sum_block(query + t * stride, stride, 1, keys, LANES * size, size, padded(seen), scores,
                  width, rows);
        for (size_t i = 0; i < rows; i++) {
            weigh_scores(scores + i * width, t + i + 1, padded(seen), scale);
        }
        sum_block(scores, width, 1, values, LANES * length, seen, size, out + t * out_stride,
                  out_stride, rows);
    }
}

static void causal_attention_backward(const float *query, const float *key, const float *value,
                                      size_t stride, const float *p, const float *dout,
                                      size_t dout_stride, size_t length, size_t size, float scale,
                                      float *scratch, float *dquery, float *dkey, float *dvalue,
                                      size_t gradient_stride) {
    size_t width = padded(length), panel = LANES * length, columns = padded(size);
    float *values = scratch, *keys = values + width * size, *queries = keys + length * columns;
    float *outs = queries + length * columns, *ds = outs + length * columns;
    pack_rows(value, stride, length, size, values);
    pack_columns(key, stride, length, size, keys);
    pack_columns(query, stride, length, size, queries);
    pack_columns(dout, dout_stride, length, size, outs);
    for (size_t t = 0; t < length; t += HEAD_TILE) {
        size_t rows = least(HEAD_TILE, length - t), seen = t + rows;
        float *scores = ds + t * width;
        sum_block(dout + t * dout_stride, dout_stride, 1, values, LANES * size, size,
                  padded(seen), scores, width, rows);
        for (size_t i = 0; i < rows; i++) {
            weigh_scores_backward(p + (t + i) * width, scores + i * width, padded(seen), scale);
        }
        sum_block(scores, width, 1, keys, panel, seen, size, dquery + t * gradient_stride,
                  gradient_stride, rows);
    }
    // What a position gets comes from the queries at it and behind it.
    for (size_t t = 0; t < length; t += HEAD_TILE) {
        size_t rows = least(HEAD_TILE, length - t), at = t * width + t;
        sum_block(p + at, 1, width, outs + t * LANES, panel, length - t, size,
                  dvalue + t * gradient_stride, gradient_stride, rows);
        sum_block(ds + at, 1, width, queries + t * LANES, panel, length - t, size,
                  dkey + t * gradient_stride, gradient_stride, rows);
    }
}

// The rotation of rope() on heads that lie in wider rows.
static void rotate_rows(float *x, size_t stride, const float *cosines, const float *sines,
                        size_t tokens, size_t heads, size_t head_size) {
    for (size_t t = 0; t < tokens; t++) {
        rope(x + t * stride, cosines + t * (head_size / 2), sines + t * (head_size / 2), 1, heads,
             head_size);
    }
}
