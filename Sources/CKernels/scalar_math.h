// exp and GELU from basic operations only, so that their bits do not depend on the CPU or the C
// library. Included by each variant after it switched contraction off.
#ifndef CAMBIUM_SCALAR_MATH_H
#define CAMBIUM_SCALAR_MATH_H

#include <stdint.h>
#include <string.h>

// e^x = 2^n e^r with n = round(x / ln 2); ln 2 in two parts and the polynomial for |r| <= ln(2)/2
// are those of the Cephes library, expf.c. Branch-free, so that loops over it vectorise.
static inline __attribute__((always_inline)) float exp_of(float x) {
    float in_range = x > -87.3f ? x : -87.3f;
    in_range = in_range < 88.0f ? in_range : 88.0f;
    // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer.
    float n = (in_range * 1.44269504088896341f + 12582912.0f) - 12582912.0f;
    float r = in_range - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    float y = p * (r * r) + r + 1.0f;
    uint32_t bits = (uint32_t)((int32_t)n + 127) << 23;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    float result = y * scale;
    result = x < -87.3f ? 0.0f : result;
    result = x > 88.0f ? __builtin_inff() : result;
    return x != x ? x : result;
}

// erfc(z) = t exp(-z^2 + P(t)) with t = 2 / (2 + z), for z >= 0. P is the Chebyshev interpolant of
// log(erfc(z) / t) + z^2 at 40 nodes over 1/6 <= t <= 1, cut at degree 10: its error is 7e-9 up to
// z = 10, beyond which erfc is 0 in float.
static inline double erfc_exponent(double t) {
    static const double coefficients[11] = {
        -0.5585953537279239,    0.5703071029766152,     0.01574507407204229,
        -0.029470336858014434,  -0.0010455518347435523, 0.003707476740361316,
        -0.00027596115878409934, -0.0005343206105038689, 0.0001298682152722108,
        5.4860246842736165e-05, -2.2855770055230096e-05,
    };
    double u = (t - 7.0 / 12.0) * 2.4;
    double p = coefficients[10];
    for (int i = 9; i >= 0; i--) p = p * u + coefficients[i];
    return p;
}

// x Phi(x), where Phi(x) = erfc(-x / sqrt 2) / 2.
static inline float gelu_of(float x) {
    if (x != x) return x;
    double z = (x < 0 ? -(double)x : (double)x) * 0.70710678118654752440;
    if (z > 10.0) return x < 0 ? -0.0f : x;
    double t = 2.0 / (2.0 + z);
    double exponent = erfc_exponent(t) - z * z;
    // The float exponential of the rounded exponent, corrected for what the rounding dropped.
    float rounded = (float)exponent;
    double tail = 0.5 * t * ((double)exp_of(rounded) * (1.0 + (exponent - (double)rounded)));
    return (float)((double)x * (x < 0 ? tail : 1.0 - tail));
}

#endif
