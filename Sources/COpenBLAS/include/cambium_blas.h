#ifndef CAMBIUM_BLAS_H
#define CAMBIUM_BLAS_H

#include <stdbool.h>

// OpenBLAS, loaded when it is first used and not with the program: its start begins a thread for each processor,
// and each of them asks for 128 MiB again and again until it gets them, which under a limit of data or address
// space (ulimit -d, -v) is for ever.

// Loads the library if that has not been tried. NULL when it is there, else why it is not: it is not installed, or
// the process may not have the memory that it takes.
const char *cambium_blas_failure(void);

// The functions of OpenBLAS of these names (cblas_sgemm, cblas_sgemv, cblas_dsyrk with CblasRowMajor); without the
// library, plain loops that give the same up to rounding, and exactly the same for integers.

// c [m, n] = alpha a b + beta c; a and b are read by columns where they are transposed.
void cambium_blas_sgemm(
    bool a_transposed, bool b_transposed, int m, int n, int k, float alpha, const float *a, int a_stride,
    const float *b, int b_stride, float beta, float *c, int c_stride);

// y [m] = a [m, n] x [n].
void cambium_blas_sgemv(int m, int n, const float *a, int stride, const float *x, float *y);

// The lower triangle of c [n, n] = aT a, of a [k, n].
void cambium_blas_dsyrk(int n, int k, const double *a, int a_stride, double *c, int c_stride);

// openblas_get_num_threads and openblas_set_num_threads; 1, and nothing, without the library.
int cambium_blas_threads(void);
void cambium_blas_set_threads(int count);

#endif
