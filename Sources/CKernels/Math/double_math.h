// exp and log in double from basic operations only: those of the C library differ in their last bit from
// one library, and one CPU, to another. Both are within 1 unit in the last place of the nearest double. Included by each file
// after it switched contraction off.
#ifndef CAMBIUM_DOUBLE_MATH_H
#define CAMBIUM_DOUBLE_MATH_H

#include <stdint.h>
#include <string.h>

// ln x for finite x > 0: x = 2^e (1 + f) with sqrt(1/2) <= 1 + f < sqrt(2), and with s = f / (2 + f)
// ln(1 + f) = f - (f^2/2 - s (f^2/2 + R(s^2))); R and the parts of ln 2 are those of FreeBSD's e_log.c.
// -infinity at 0, NaN below it; NaN and infinity stay.
static double log_of_double(double x) {
    if (!(x > 0) || x > 0x1.fffffffffffffp1023) {
        return x == 0 ? -__builtin_inf() : x > 0 ? x : __builtin_nan("");
    }
    // Subnormal numbers are scaled up first.
    int exponent = x < 0x1p-1022 ? -54 : 0;
    double scaled = x < 0x1p-1022 ? x * 0x1p54 : x;
    uint64_t bits;
    memcpy(&bits, &scaled, sizeof bits);
    uint64_t offset = bits - 0x3fe6a09e667f3bcd;
    exponent += (int)((int64_t)offset >> 52);
    bits = (offset & 0xfffffffffffff) + 0x3fe6a09e667f3bcd;
    double m;
    memcpy(&m, &bits, sizeof m);
    double f = m - 1, half = 0.5 * f * f, s = f / (2 + f), z = s * s;
    double r = 1.479819860511658591e-01;
    r = __builtin_fma(r, z, 1.531383769920937332e-01);
    r = __builtin_fma(r, z, 1.818357216161805012e-01);
    r = __builtin_fma(r, z, 2.222219843214978396e-01);
    r = __builtin_fma(r, z, 2.857142874366239149e-01);
    r = __builtin_fma(r, z, 3.999999999940941908e-01);
    r = __builtin_fma(r, z, 6.666666666666735130e-01);
    double low = exponent * 1.90821492927058770002e-10;
    return s * (half + r * z) + low - half + f + exponent * 6.93147180369123816490e-01;
}

// e^x = 2^n e^r with |r| <= ln(2) / 2, e^r by its series. NaN stays.
static double exp_of_double(double x) {
    if (x != x) return x;
    if (x > 709.782712893384) return __builtin_inf();
    if (x < -745.2) return 0;
    double n = __builtin_fma(x, 1.44269504088896340736, 6755399441055744.0) - 6755399441055744.0;
    double r = __builtin_fma(n, -0.693147180369123816490, x);
    r = __builtin_fma(n, -1.90821492927058770002e-10, r);
    double sum = 1;
    for (int i = 16; i >= 1; i--) sum = __builtin_fma(sum, r / i, 1.0);
    // In two steps where 2^n alone is no normal number.
    int64_t power = (int64_t)n;
    int64_t first = power < -1000 ? power + 100 : power > 1000 ? power - 100 : power;
    double rest = power < -1000 ? 0x1p-100 : power > 1000 ? 0x1p100 : 1;
    uint64_t bits = (uint64_t)(first + 1023) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    return sum * scale * rest;
}

#endif
