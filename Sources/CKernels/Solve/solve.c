// The parts of a factorisation whose time does not matter, and the choice of the inner loops.

#include "cambium_solve.h"

#include <math.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF

extern const struct cambium_solve_variant cambium_solve_scalar;
#if defined(__x86_64__)
extern const struct cambium_solve_variant cambium_solve_avx2, cambium_solve_avx512;
#endif

static const struct cambium_solve_variant *const variants[] = {
#if defined(__x86_64__)
    &cambium_solve_avx512,
    &cambium_solve_avx2,
#endif
    &cambium_solve_scalar,
    NULL,
};

static int runs(const struct cambium_solve_variant *variant) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (variant == &cambium_solve_avx512) {
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
    }
    if (variant == &cambium_solve_avx2) return __builtin_cpu_supports("avx2");
#endif
    return variant == &cambium_solve_scalar;
}

const struct cambium_solve_variant *cambium_solve_variant_at(size_t index) {
    for (const struct cambium_solve_variant *const *variant = variants; *variant; variant++) {
        if (runs(*variant) && index-- == 0) return *variant;
    }
    return NULL;
}

static const struct cambium_solve_variant *active = &cambium_solve_scalar;

__attribute__((constructor)) static void choose(void) { active = cambium_solve_variant_at(0); }

const struct cambium_solve_variant *cambium_solve_active(void) { return active; }

void cambium_solve_use(const struct cambium_solve_variant *variant) {
    active = variant ? variant : cambium_solve_variant_at(0);
}

void cambium_pack_panel(const double *a, size_t n, size_t first, size_t width, double *packed) {
    // Blocks of rows, so that what is read by columns stays in the cache.
    for (size_t block = 0; block < first; block += CAMBIUM_PANEL) {
        size_t end = block + CAMBIUM_PANEL < first ? block + CAMBIUM_PANEL : first;
        for (size_t j = 0; j < CAMBIUM_PANEL; j++) {
            const double *row = a + (first + j) * n;
            for (size_t k = block; k < end; k++) {
                packed[k * CAMBIUM_PANEL + j] = j < width ? row[k] : 0;
            }
        }
    }
}

size_t cambium_factor_diagonal(double *a, size_t n, size_t first, size_t width) {
    for (size_t j = first; j < first + width; j++) {
        for (size_t i = j; i < first + width; i++) {
            double sum = a[i * n + j];
            for (size_t k = first; k < j; k++) sum = sum - a[i * n + k] * a[j * n + k];
            if (i == j) {
                // A NaN is not greater than zero either.
                if (!(sum > 0) || sum == (double)INFINITY) return j;
                a[j * n + j] = sqrt(sum);
            } else {
                a[i * n + j] = sum / a[j * n + j];
            }
        }
    }
    return n;
}

void cambium_finish_rows(double *a, size_t n, size_t first, size_t width, size_t begin,
                         size_t end) {
    for (size_t i = begin; i < end; i++) {
        double *row = a + i * n;
        for (size_t j = first; j < first + width; j++) {
            const double *pivot = a + j * n;
            double sum = row[j];
            for (size_t k = first; k < j; k++) sum = sum - row[k] * pivot[k];
            row[j] = sum / pivot[j];
        }
    }
}

enum { BLOCK = 32 };

void cambium_solve_sides(const double *l, size_t n, double *x) {
    for (size_t first = 0; first < n; first += BLOCK) {
        size_t rows = n - first < BLOCK ? n - first : BLOCK;
        active->subtract_products(l, n, 1, first, rows, 0, first, x);
        for (size_t i = first; i < first + rows; i++) {
            double *xi = x + i * CAMBIUM_SIDES;
            for (size_t k = first; k < i; k++) {
                for (size_t s = 0; s < CAMBIUM_SIDES; s++) {
                    xi[s] = xi[s] - l[i * n + k] * x[k * CAMBIUM_SIDES + s];
                }
            }
            for (size_t s = 0; s < CAMBIUM_SIDES; s++) xi[s] = xi[s] / l[i * n + i];
        }
    }
    // Upwards; the sums still run in ascending order, from the row behind a block on, and within
    // the block from the next row on.
    for (size_t end = n; end > 0;) {
        size_t rows = end % BLOCK ? end % BLOCK : BLOCK;
        size_t first = end - rows;
        active->subtract_products(l, 1, n, first, rows, end, n, x);
        for (size_t i = end; i-- > first;) {
            double *xi = x + i * CAMBIUM_SIDES;
            for (size_t k = i + 1; k < end; k++) {
                for (size_t s = 0; s < CAMBIUM_SIDES; s++) {
                    xi[s] = xi[s] - l[k * n + i] * x[k * CAMBIUM_SIDES + s];
                }
            }
            for (size_t s = 0; s < CAMBIUM_SIDES; s++) xi[s] = xi[s] / l[i * n + i];
        }
        end = first;
    }
}
