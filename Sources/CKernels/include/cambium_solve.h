// Linear systems with the same bits on every CPU.
//
// Every sum runs in ascending order of its index, one product and one difference at a time, without
// contraction: the plain triple loop of the textbook, only with its independent sums side by side.
// So neither the width of the vectors, nor the block sizes, nor the number of threads changes a
// bit. All matrices are row-major doubles.
#ifndef CAMBIUM_SOLVE_H
#define CAMBIUM_SOLVE_H

#include <stddef.h>

// Columns of one panel of the factorisation; right-hand sides that are solved together.
#define CAMBIUM_PANEL 64
#define CAMBIUM_SIDES 16

// packed[k, j] = a[first + j, k] for k < first and j < width <= CAMBIUM_PANEL, the rest of each row
// of CAMBIUM_PANEL zero. a is [n, n]; packed is [first, CAMBIUM_PANEL].
void cambium_pack_panel(const double *a, size_t n, size_t first, size_t width, double *packed);

struct cambium_solve_variant {
    const char *name;
    // a[i, first + j] -= sum over k < first of a[i, k] * packed[k, j], for the rows begin..<end.
    void (*update_rows)(double *a, size_t n, size_t first, size_t width, const double *packed,
                        size_t begin, size_t end);
    // x[i, s] -= sum over begin <= k < end of l[i, k] * x[k, s] for the rows i of first..<first +
    // rows, none of them in begin..<end; l is read at l[i * row_step + k * column_step]; x is
    // [n, CAMBIUM_SIDES].
    void (*subtract_products)(const double *l, size_t row_step, size_t column_step, size_t first,
                              size_t rows, size_t begin, size_t end, double *x);
};

// Factors the diagonal block at `first` in place, its columns updated before. Returns the first
// column whose pivot is not a positive number, or `n`.
size_t cambium_factor_diagonal(double *a, size_t n, size_t first, size_t width);

// Finishes the panel's rows begin..<end, all below the diagonal block, which is factored.
void cambium_finish_rows(double *a, size_t n, size_t first, size_t width, size_t begin, size_t end);

// Solves l lᵀ x = b for CAMBIUM_SIDES right-hand sides in place; l is [n, n], of which the lower
// triangle is read, x is [n, CAMBIUM_SIDES].
void cambium_solve_sides(const double *l, size_t n, double *x);

// The table that this CPU runs.
const struct cambium_solve_variant *cambium_solve_active(void);
// The index-th table that this CPU can run, best first; NULL behind the last, the scalar one.
const struct cambium_solve_variant *cambium_solve_variant_at(size_t index);
// Makes the program use another table, for tests; NULL returns to the CPU's own.
void cambium_solve_use(const struct cambium_solve_variant *variant);

#endif
