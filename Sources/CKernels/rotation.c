// The angles of rotary embeddings, in doubles and basic operations alone: the C library's sine,
// cosine and power differ in their last bit from one CPU to another.

#pragma STDC FP_CONTRACT OFF

#include "include/cambium_kernels.h"

#include <stdint.h>
#include <string.h>

// ln x for x >= 1: x = 2^e m with m in [2/3, 4/3), ln m = 2 artanh((m - 1) / (m + 1)) by its series.
static double log_of_double(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int exponent = (int)(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffff) | 0x3ff0000000000000;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m >= 4.0 / 3.0) {
        m = m / 2;
        exponent++;
    }
    double s = (m - 1) / (m + 1), square = s * s, sum = 0;
    // |s| <= 1/5: 13 terms reach 1e-19.
    for (int i = 25; i >= 1; i -= 2) sum = __builtin_fma(sum, square, 1.0 / i);
    return __builtin_fma(exponent, 0.693147180559945309417, 2 * s * sum);
}

// e^x for x <= 0: 2^n e^r with |r| <= ln(2) / 2, e^r by its series.
static double exp_of_double(double x) {
    double n = __builtin_fma(x, 1.44269504088896340736, 6755399441055744.0) - 6755399441055744.0;
    double r = __builtin_fma(n, -0.693147180369123816490, x);
    r = __builtin_fma(n, -1.90821492927058770002e-10, r);
    double sum = 1;
    for (int i = 16; i >= 1; i--) sum = __builtin_fma(sum, r / i, 1.0);
    if (n < -1000) return 0;
    uint64_t bits = (uint64_t)((int64_t)n + 1023) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    return sum * scale;
}

// Reduces by multiples of pi / 2, in three parts; then the series of both functions for |r| <= pi / 4.
static void sine_and_cosine(double x, double *sine, double *cosine) {
    double n = __builtin_fma(x, 0.636619772367581343076, 6755399441055744.0) - 6755399441055744.0;
    double r = __builtin_fma(n, -1.57079632673412561417, x);
    r = __builtin_fma(n, -6.07710050630396597660e-11, r);
    r = __builtin_fma(n, -2.02226624879595063154e-21, r);
    double square = r * r, s = 0, c = 0;
    for (int i = 19; i >= 3; i -= 2) s = __builtin_fma(s, -square / ((i + 1) * (i + 2)), 1.0);
    s = __builtin_fma(s, -square / 6, 1.0) * r;
    for (int i = 20; i >= 2; i -= 2) c = __builtin_fma(c, -square / ((i + 1) * (i + 2)), 1.0);
    c = __builtin_fma(c, -square / 2, 1.0);
    switch ((int64_t)n & 3) {
    case 0: *sine = s, *cosine = c; break;
    case 1: *sine = c, *cosine = -s; break;
    case 2: *sine = -s, *cosine = -c; break;
    default: *sine = -c, *cosine = s; break;
    }
}

double cambium_log_of_double(double x) { return x < 1 ? -log_of_double(1 / x) : log_of_double(x); }

void cambium_rotation_frequencies(double theta, size_t size, double *frequencies) {
    double logarithm = log_of_double(theta);
    for (size_t i = 0; i < size / 2; i++) {
        frequencies[i] = exp_of_double(-(2.0 * (double)i / (double)size) * logarithm);
    }
}

void cambium_rotation(size_t position, const double *frequencies, size_t count, double factor,
                      float *cosines, float *sines) {
    for (size_t i = 0; i < count; i++) {
        double sine, cosine;
        sine_and_cosine((double)position * frequencies[i], &sine, &cosine);
        cosines[i] = (float)(cosine * factor);
        sines[i] = (float)(sine * factor);
    }
}
