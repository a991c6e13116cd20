// Measures and conversions of stored tensors, and the loss.

#pragma STDC FP_CONTRACT OFF

#include "double_math.h"
#include "cambium_kernels.h"

#include <string.h>

static inline uint16_t load16(const char *bytes, size_t i) {
    uint16_t value;
    memcpy(&value, bytes + i * sizeof value, sizeof value);
    return value;
}

static inline uint32_t load32(const char *bytes, size_t i) {
    uint32_t value;
    memcpy(&value, bytes + i * sizeof value, sizeof value);
    return value;
}

static inline uint64_t load64(const char *bytes, size_t i) {
    uint64_t value;
    memcpy(&value, bytes + i * sizeof value, sizeof value);
    return value;
}

static inline float float_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

// IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits.
static inline float float_of_half(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t exponent = half >> 10 & 0x1f, fraction = half & 0x3ff;
    if (exponent == 0x1f) return float_of_bits(sign | 0x7f800000 | fraction << 13);
    if (exponent != 0) return float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
    float magnitude = (float)fraction * 0x1p-24f;
    return sign ? -magnitude : magnitude;
}

static inline double element(const char *bytes, size_t i, enum cambium_float_type type) {
    switch (type) {
    case CAMBIUM_F16: return float_of_half(load16(bytes, i));
    case CAMBIUM_BF16: return float_of_bits((uint32_t)load16(bytes, i) << 16);
    case CAMBIUM_F32: return float_of_bits(load32(bytes, i));
    case CAMBIUM_F64: {
        uint64_t bits = load64(bytes, i);
        double value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    }
    return 0;
}

// All ones in the exponent: NaN when the fraction is not zero, else infinity.
static inline void count_one(struct cambium_non_finite *counts, uint64_t bits, uint64_t exponent) {
    uint64_t magnitude = bits & (exponent | ((exponent & -exponent) - 1));
    counts->nan += magnitude > exponent;
    counts->infinite += magnitude == exponent;
}

static struct cambium_non_finite count_each(const char *bytes, size_t count,
                                            enum cambium_float_type type) {
    struct cambium_non_finite counts = {0, 0};
    for (size_t i = 0; i < count; i++) {
        switch (type) {
        case CAMBIUM_F16: count_one(&counts, load16(bytes, i), 0x7c00); break;
        case CAMBIUM_BF16: count_one(&counts, load16(bytes, i), 0x7f80); break;
        case CAMBIUM_F32: count_one(&counts, load32(bytes, i), 0x7f800000); break;
        case CAMBIUM_F64: count_one(&counts, load64(bytes, i), 0x7ff0000000000000); break;
        }
    }
    return counts;
}

// Loops without branches, which compilers turn into vectors.
#define HAS_NON_FINITE(name, word, load, exponent)                                                 \
    static int name(const char *bytes, size_t count) {                                             \
        word found = 0;                                                                            \
        for (size_t i = 0; i < count; i++)                                                         \
            found |= (word)((load(bytes, i) & (word)(exponent)) == (word)(exponent));              \
        return found != 0;                                                                         \
    }

HAS_NON_FINITE(has_f16, uint16_t, load16, 0x7c00)
HAS_NON_FINITE(has_bf16, uint16_t, load16, 0x7f80)
HAS_NON_FINITE(has_f32, uint32_t, load32, 0x7f800000)
HAS_NON_FINITE(has_f64, uint64_t, load64, 0x7ff0000000000000)

// Mostly there are none: pieces that have some are counted one by one.
struct cambium_non_finite cambium_count_non_finite(const void *bytes, size_t count,
                                                   enum cambium_float_type type) {
    struct cambium_non_finite counts = {0, 0};
    const size_t piece = 2048;
    const size_t width = type == CAMBIUM_F64 ? 8 : type == CAMBIUM_F32 ? 4 : 2;
    for (size_t start = 0; start < count; start += piece) {
        const char *at = (const char *)bytes + start * width;
        size_t length = count - start < piece ? count - start : piece;
        int found = 0;
        switch (type) {
        case CAMBIUM_F16: found = has_f16(at, length); break;
        case CAMBIUM_BF16: found = has_bf16(at, length); break;
        case CAMBIUM_F32: found = has_f32(at, length); break;
        case CAMBIUM_F64: found = has_f64(at, length); break;
        }
        if (!found) continue;
        struct cambium_non_finite here = count_each(at, length, type);
        counts.nan += here.nan;
        counts.infinite += here.infinite;
    }
    return counts;
}

struct cambium_products cambium_compare(const void *before, const void *after, size_t count,
                                        enum cambium_float_type type) {
    struct cambium_products sums = {0, 0, 0, 0, 0};
    for (size_t i = 0; i < count; i++) {
        double b = element(before, i, type), a = element(after, i, type);
        sums.before_before += b * b;
        sums.after_after += a * a;
        sums.before_after += b * a;
        sums.change_change += (a - b) * (a - b);
        double change = a < b ? b - a : a - b;
        if (change > sums.greatest) sums.greatest = change;
    }
    return sums;
}

void cambium_to_float(const void *bytes, size_t count, enum cambium_float_type type, float *out) {
    for (size_t i = 0; i < count; i++) out[i] = (float)element(bytes, i, type);
}

double cambium_cross_entropy(const float *logits, size_t count, size_t target) {
    double largest = logits[0];
    for (size_t i = 1; i < count; i++) largest = logits[i] > largest ? logits[i] : largest;
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += exp_of_double((double)logits[i] - largest);
    return largest + log_of_double(sum) - (double)logits[target];
}
