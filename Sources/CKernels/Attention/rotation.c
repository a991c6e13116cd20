// The angles of rotary embeddings, in doubles and basic operations alone: the C library's sine,
// cosine and power differ in their last bit from one CPU to another.

#pragma STDC FP_CONTRACT OFF

#include "../Math/double_math.h"
#include "cambium_kernels.h"

// ln x, up to 3 units in the last place from the nearest double. double_math.h has a nearer one; this one
// stays for rotations, since evidence was recorded over states whose bits depend on it.
static double rotation_log(double x) {
    if (x < 1) return -rotation_log(1 / x);
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int exponent = (int)(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffff) | 0x3ff0000000000000;
    double m;
    memcpy(&m, &bits, sizeof m);
    // x = 2^e m with m in [2/3, 4/3), ln m = 2 artanh((m - 1) / (m + 1)) by its series.
    if (m >= 4.0 / 3.0) {
        m = m / 2;
        exponent++;
    }
    double s = (m - 1) / (m + 1), square = s * s, sum = 0;
    // |s| <= 1/5: 13 terms reach 1e-19.
    for (int i = 25; i >= 1; i -= 2) sum = __builtin_fma(sum, square, 1.0 / i);
    return __builtin_fma(exponent, 0.693147180559945309417, 2 * s * sum);
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

double cambium_rotation_log(double x) { return rotation_log(x); }

double cambium_log_of_double(double x) { return log_of_double(x); }

double cambium_exp_of_double(double x) { return exp_of_double(x); }

void cambium_rotation_frequencies(double theta, size_t size, double *frequencies) {
    double logarithm = rotation_log(theta);
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
