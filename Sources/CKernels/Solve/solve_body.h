// The inner loops of the factorisation and of the substitution, over vectors of 8 doubles, which
// the compiler splits into what the instruction set has. Included once per instruction set, with
// contraction off.

#include "cambium_solve.h"

#include <string.h>

enum { WIDE = 8, TILE = 4 };

typedef double wide __attribute__((vector_size(64), aligned(8), may_alias));

// `rows` rows of `vectors` vectors each: c[r] -= sum over k of l[r, k] * b[k].
static inline __attribute__((always_inline)) void tile(const double *l, size_t row_step,
                                                       size_t column_step, const double *b,
                                                       size_t b_step, size_t count, double *c,
                                                       size_t c_step, int rows, int vectors) {
    wide sums[TILE][2];
    for (int r = 0; r < rows; r++) {
        for (int v = 0; v < vectors; v++) sums[r][v] = *(const wide *)(c + r * c_step + v * WIDE);
    }
    for (size_t k = 0; k < count; k++) {
        for (int r = 0; r < rows; r++) {
            double factor = l[r * row_step + k * column_step];
            for (int v = 0; v < vectors; v++) {
                sums[r][v] = sums[r][v] - factor * *(const wide *)(b + k * b_step + v * WIDE);
            }
        }
    }
    for (int r = 0; r < rows; r++) {
        for (int v = 0; v < vectors; v++) *(wide *)(c + r * c_step + v * WIDE) = sums[r][v];
    }
}

// The packed panel is padded to whole vectors, the matrix is not: rows go through a copy.
static void update_rows(double *a, size_t n, size_t first, size_t width, const double *packed,
                        size_t begin, size_t end) {
    double c[TILE * CAMBIUM_PANEL];
    for (size_t i = begin; i < end; i += TILE) {
        size_t rows = end - i < TILE ? end - i : TILE;
        for (size_t r = 0; r < rows; r++) {
            memcpy(c + r * CAMBIUM_PANEL, a + (i + r) * n + first, width * sizeof *c);
            memset(c + r * CAMBIUM_PANEL + width, 0, (CAMBIUM_PANEL - width) * sizeof *c);
        }
        for (size_t j = 0; j < width; j += WIDE) {
            if (rows == TILE) {
                tile(a + i * n, n, 1, packed + j, CAMBIUM_PANEL, first, c + j, CAMBIUM_PANEL, TILE,
                     1);
            } else {
                for (size_t r = 0; r < rows; r++) {
                    tile(a + (i + r) * n, n, 1, packed + j, CAMBIUM_PANEL, first,
                         c + r * CAMBIUM_PANEL + j, CAMBIUM_PANEL, 1, 1);
                }
            }
        }
        for (size_t r = 0; r < rows; r++) {
            memcpy(a + (i + r) * n + first, c + r * CAMBIUM_PANEL, width * sizeof *c);
        }
    }
}

static void subtract_products(const double *l, size_t row_step, size_t column_step, size_t first,
                              size_t rows, size_t begin, size_t end, double *x) {
    const double *start = l + first * row_step + begin * column_step;
    const double *b = x + begin * CAMBIUM_SIDES;
    double *c = x + first * CAMBIUM_SIDES;
    size_t r = 0;
    for (; r + TILE <= rows; r += TILE) {
        tile(start + r * row_step, row_step, column_step, b, CAMBIUM_SIDES, end - begin,
             c + r * CAMBIUM_SIDES, CAMBIUM_SIDES, TILE, 1);
        tile(start + r * row_step, row_step, column_step, b + WIDE, CAMBIUM_SIDES, end - begin,
             c + r * CAMBIUM_SIDES + WIDE, CAMBIUM_SIDES, TILE, 1);
    }
    for (; r < rows; r++) {
        tile(start + r * row_step, row_step, column_step, b, CAMBIUM_SIDES, end - begin,
             c + r * CAMBIUM_SIDES, CAMBIUM_SIDES, 1, 2);
    }
}

const struct cambium_solve_variant VARIANT = {
    .name = VARIANT_NAME,
    .update_rows = update_rows,
    .subtract_products = subtract_products,
};
