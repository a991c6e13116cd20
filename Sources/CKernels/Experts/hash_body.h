// Rows that are added to a token's state, where they are stored. Included by variant_body.h.

// 16 codes of two's complement from element i on, a multiple of 16: 2 bits of 4 bytes or 4 bits of 8, the
// first lowest.
INLINE lanes code_lanes(const char *codes, size_t i, size_t bits) {
    int_lanes words;
    if (bits == 2) {
        int32_t word;
        memcpy(&word, codes + i / 4, sizeof word);
        words = (int_lanes){0} + word;
        words <<= (int_lanes){30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0};
        words >>= 30;
    } else {
        int32_t word[2];
        memcpy(word, codes + i / 2, sizeof word);
        int32_t low = word[0], high = word[1];
        words = (int_lanes){low, low, low, low, low, low, low, low,
                            high, high, high, high, high, high, high, high};
        words <<= (int_lanes){28, 24, 20, 16, 12, 8, 4, 0, 28, 24, 20, 16, 12, 8, 4, 0};
        words >>= 28;
    }
    return __builtin_convertvector(words, lanes);
}

INLINE float code_value(const char *codes, size_t i, size_t bits) {
    uint32_t byte = (uint8_t)codes[i * bits / 8];
    int32_t word = (int32_t)(byte << (32 - bits - i * bits % 8));
    return (float)(word >> (32 - bits));
}

// out += scale * code, fused; the scale is behind the codes.
INLINE void add_codes(const char *row, size_t width, size_t bits, float *out) {
    float scale;
    memcpy(&scale, row + width * bits / 8, sizeof scale);
    size_t i = 0;
    for (; i + LANES <= width; i += LANES) {
        *(lanes *)(out + i) =
            fused(all(scale), code_lanes(row, i, bits), *(const lanes *)(out + i));
    }
    for (; i < width; i++) out[i] = __builtin_fmaf(scale, code_value(row, i, bits), out[i]);
}

static void add_row(const void *row, enum cambium_row_form form, size_t width, float *out) {
    switch (form) {
    case CAMBIUM_ROW_F32: axpy_of(1, row, out, width, ROW_F32); break;
    case CAMBIUM_ROW_BF16: axpy_of(1, row, out, width, ROW_BF16); break;
    case CAMBIUM_ROW_F16: axpy_of(1, row, out, width, ROW_F16); break;
    case CAMBIUM_ROW_8: {
        float scale;
        memcpy(&scale, (const char *)row + width, sizeof scale);
        axpy_of(scale, row, out, width, ROW_I8);
        break;
    }
    case CAMBIUM_ROW_4: add_codes(row, width, 4, out); break;
    case CAMBIUM_ROW_2: add_codes(row, width, 2, out); break;
    }
}
