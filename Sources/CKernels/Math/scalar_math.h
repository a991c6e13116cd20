// exp, log and GELU from basic operations only, so that their bits do not depend on the CPU or the C
// library. Branch-free, so that loops over them become vectors. Included by each variant after it
// switched contraction off.
#ifndef CAMBIUM_SCALAR_MATH_H
#define CAMBIUM_SCALAR_MATH_H

#include "lanes.h"

// e^x = 2^n e^r with n = round(x / ln 2); ln 2 in two parts and the polynomial for |r| <= ln(2)/2
// are those of the Cephes library, expf.c.
INLINE float exp_of(float x) {
    float in_range = x > -87.3f ? x : -87.3f;
    in_range = in_range < 88.0f ? in_range : 88.0f;
    // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer.
    float n = __builtin_fmaf(in_range, 1.44269504088896341f, 12582912.0f) - 12582912.0f;
    float r = __builtin_fmaf(n, -0.693359375f, in_range);
    r = __builtin_fmaf(n, 2.12194440e-4f, r);
    float p = 1.9875691500e-4f;
    p = __builtin_fmaf(p, r, 1.3981999507e-3f);
    p = __builtin_fmaf(p, r, 8.3334519073e-3f);
    p = __builtin_fmaf(p, r, 4.1665795894e-2f);
    p = __builtin_fmaf(p, r, 1.6666665459e-1f);
    p = __builtin_fmaf(p, r, 5.0000001201e-1f);
    float y = __builtin_fmaf(p, r * r, r) + 1.0f;
    uint32_t bits = (uint32_t)((int32_t)n + 127) << 23;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    float result = y * scale;
    result = x < -87.3f ? 0.0f : result;
    result = x > 88.0f ? __builtin_inff() : result;
    return x != x ? x : result;
}

// ln x for finite x > 0: x = 2^e m with sqrt(1/2) <= m < sqrt(2); the polynomial for ln m and ln 2 in
// two parts are those of the Cephes library, logf.c. -infinity at 0 and below it; NaN and infinity
// stay.
INLINE float log_of(float x) {
    // Subnormal numbers are scaled up first.
    float scaled = x < 0x1p-126f ? x * 0x1p24f : x;
    float shift = x < 0x1p-126f ? 24.0f : 0.0f;
    uint32_t bits;
    memcpy(&bits, &scaled, sizeof bits);
    uint32_t offset = bits - 0x3f3504f3;
    int32_t exponent = (int32_t)offset >> 23;
    bits = (offset & 0x7fffff) + 0x3f3504f3;
    float m;
    memcpy(&m, &bits, sizeof m);
    m = m - 1.0f;
    float e = (float)exponent - shift;
    float p = 7.0376836292e-2f;
    p = __builtin_fmaf(p, m, -1.1514610310e-1f);
    p = __builtin_fmaf(p, m, 1.1676998740e-1f);
    p = __builtin_fmaf(p, m, -1.2420140846e-1f);
    p = __builtin_fmaf(p, m, 1.4249322787e-1f);
    p = __builtin_fmaf(p, m, -1.6668057665e-1f);
    p = __builtin_fmaf(p, m, 2.0000714765e-1f);
    p = __builtin_fmaf(p, m, -2.4999993993e-1f);
    p = __builtin_fmaf(p, m, 3.3333331174e-1f);
    float square = m * m;
    float y = p * m * square;
    y = __builtin_fmaf(e, -2.12194440e-4f, y);
    y = __builtin_fmaf(square, -0.5f, y);
    float result = m + y;
    result = __builtin_fmaf(e, 0.693359375f, result);
    result = x > 0.0f ? result : -__builtin_inff();
    return x != x || x == __builtin_inff() ? x : result;
}

// erfc(z) = t exp(-z^2 + P(t)) with t = 2 / (2 + z), for z >= 0. P is the Chebyshev interpolant of
// log(erfc(z) / t) + z^2 at 40 nodes over 1/6 <= t <= 1, cut at degree 10: its error is 7e-9 up to
// z = 10, beyond which erfc is 0 in float.
INLINE double erfc_exponent(double t) {
    double u = __builtin_fma(t, 2.4, -1.4);
    double p = -2.2855770055230096e-05;
    p = __builtin_fma(p, u, 5.4860246842736165e-05);
    p = __builtin_fma(p, u, 0.0001298682152722108);
    p = __builtin_fma(p, u, -0.0005343206105038689);
    p = __builtin_fma(p, u, -0.00027596115878409934);
    p = __builtin_fma(p, u, 0.003707476740361316);
    p = __builtin_fma(p, u, -0.0010455518347435523);
    p = __builtin_fma(p, u, -0.029470336858014434);
    p = __builtin_fma(p, u, 0.01574507407204229);
    p = __builtin_fma(p, u, 0.5703071029766152);
    p = __builtin_fma(p, u, -0.5585953537279239);
    return p;
}

// x Phi(x), where Phi(x) = erfc(-x / sqrt 2) / 2.
INLINE float gelu_of(float x) {
    double size = x < 0 ? -(double)x : (double)x;
    // A NaN becomes a number here and comes back at the end.
    double z = size < 14.2 ? size * 0.70710678118654752440 : 10.04;
    double t = 2.0 / (2.0 + z);
    double exponent = erfc_exponent(t) - z * z;
    // The float exponential of the rounded exponent, corrected for what the rounding dropped.
    float rounded = (float)exponent;
    double tail = 0.5 * t * ((double)exp_of(rounded) * (1.0 + (exponent - (double)rounded)));
    tail = size < 14.1421 ? tail : 0.0;
    float result = (float)((double)x * (x < 0 ? tail : 1.0 - tail));
    return x != x ? x : result;
}

#endif
