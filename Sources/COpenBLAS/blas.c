#define _GNU_SOURCE
#include "cambium_blas.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

// Values of cblas.h.
enum { ROWS = 101, PLAIN = 111, TRANSPOSED = 112, LOWER = 122 };

// What OpenBLAS takes for each thread that computes: BUFFER_SIZE of its common_x86_64.h, and more than its other
// processors' (common.h, memory.c).
static const size_t buffer_size = (size_t)128 << 20;
// The library's own pages.
static const size_t library_size = (size_t)64 << 20;

static struct {
    void (*sgemm)(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *, int);
    void (*sgemv)(int, int, int, int, float, const float *, int, const float *, int, float, float *, int);
    void (*dsyrk)(int, int, int, int, int, double, const double *, int, double, double *, int);
    int (*get_threads)(void);
    void (*set_threads)(int);
} blas;

static pthread_once_t tried = PTHREAD_ONCE_INIT;
static char failure[320];
static bool loaded;

#ifdef CAMBIUM_LINKED_OPENBLAS
// A library for hosts that have an OpenBLAS of their own has it linked in, hidden (tools/packaging/library).
extern __typeof__(*blas.sgemm) cblas_sgemm;
extern __typeof__(*blas.sgemv) cblas_sgemv;
extern __typeof__(*blas.dsyrk) cblas_dsyrk;
extern __typeof__(*blas.get_threads) openblas_get_num_threads;
extern __typeof__(*blas.set_threads) openblas_set_num_threads;

static void load(void) {
    blas.sgemm = cblas_sgemm;
    blas.sgemv = cblas_sgemv;
    blas.dsyrk = cblas_dsyrk;
    blas.get_threads = openblas_get_num_threads;
    blas.set_threads = openblas_set_num_threads;
    loaded = true;
}
#else
// Whether the process may have so many buffers: asked for one by one, as OpenBLAS does, and given back.
static bool is_affordable(int buffers) {
    void **start = calloc((size_t)buffers + 1, sizeof *start);
    if (!start) return false;
    int got = 0;
    for (; got <= buffers; got++) {
        size_t size = got == 0 ? library_size : buffer_size;
        start[got] = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (start[got] == MAP_FAILED) break;
    }
    for (int i = 0; i < got; i++) munmap(start[i], i == 0 ? library_size : buffer_size);
    free(start);
    return got > buffers;
}

static void load(void) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    // One for each of its threads, and one for each of ours that calls.
    int buffers = 2 * (int)(processors < 1 ? 1 : processors > 128 ? 128 : processors);
    if (!is_affordable(buffers)) {
        snprintf(
            failure, sizeof failure,
            "OpenBLAS takes up to %zu MiB of memory on this machine, more than this process may have; raise "
            "its limit (ulimit -d, -v)",
            (library_size + (size_t)buffers * buffer_size) >> 20);
        return;
    }
    static const char *const names[] = {"libopenblas.so.0", "libopenblas.so", "libopenblasp.so.0"};
    void *library = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && !library; i++)
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *reason = dlerror();
        snprintf(
            failure, sizeof failure, "OpenBLAS cannot be loaded (%s); install it (Debian: libopenblas0)",
            reason ? reason : "no reason given");
        return;
    }
    *(void **)&blas.sgemm = dlsym(library, "cblas_sgemm");
    *(void **)&blas.sgemv = dlsym(library, "cblas_sgemv");
    *(void **)&blas.dsyrk = dlsym(library, "cblas_dsyrk");
    *(void **)&blas.get_threads = dlsym(library, "openblas_get_num_threads");
    *(void **)&blas.set_threads = dlsym(library, "openblas_set_num_threads");
    loaded = blas.sgemm && blas.sgemv && blas.dsyrk && blas.get_threads && blas.set_threads;
    if (!loaded) snprintf(failure, sizeof failure, "the OpenBLAS that was found lacks a function; install 0.3");
}

#endif

const char *cambium_blas_failure(void) {
    pthread_once(&tried, load);
    return loaded ? NULL : failure;
}

void cambium_blas_sgemm(
    bool a_transposed, bool b_transposed, int m, int n, int k, float alpha, const float *a, int a_stride,
    const float *b, int b_stride, float beta, float *c, int c_stride) {
    if (!cambium_blas_failure()) {
        blas.sgemm(
            ROWS, a_transposed ? TRANSPOSED : PLAIN, b_transposed ? TRANSPOSED : PLAIN, m, n, k, alpha, a,
            a_stride, b, b_stride, beta, c, c_stride);
        return;
    }
    for (ptrdiff_t i = 0; i < m; i++) {
        for (ptrdiff_t j = 0; j < n; j++) {
            float sum = 0;
            for (ptrdiff_t l = 0; l < k; l++) {
                float x = a_transposed ? a[l * a_stride + i] : a[i * a_stride + l];
                sum += x * (b_transposed ? b[j * b_stride + l] : b[l * b_stride + j]);
            }
            float *out = &c[i * c_stride + j];
            // As in BLAS: with beta 0 what was there does not count, even if it is no number.
            *out = alpha * sum + (beta == 0 ? 0 : beta * *out);
        }
    }
}

void cambium_blas_sgemv(int m, int n, const float *a, int stride, const float *x, float *y) {
    if (!cambium_blas_failure()) {
        blas.sgemv(ROWS, PLAIN, m, n, 1, a, stride, x, 1, 0, y, 1);
        return;
    }
    cambium_blas_sgemm(false, false, m, 1, n, 1, a, stride, x, 1, 0, y, 1);
}

void cambium_blas_dsyrk(int n, int k, const double *a, int a_stride, double *c, int c_stride) {
    if (!cambium_blas_failure()) {
        blas.dsyrk(ROWS, LOWER, TRANSPOSED, n, k, 1, a, a_stride, 0, c, c_stride);
        return;
    }
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j = 0; j <= i; j++) c[i * c_stride + j] = 0;
    for (ptrdiff_t l = 0; l < k; l++) {
        const double *row = a + l * a_stride;
        for (ptrdiff_t i = 0; i < n; i++)
            for (ptrdiff_t j = 0; j <= i; j++) c[i * c_stride + j] += row[i] * row[j];
    }
}

int cambium_blas_threads(void) { return cambium_blas_failure() ? 1 : blas.get_threads(); }

void cambium_blas_set_threads(int count) {
    if (!cambium_blas_failure()) blas.set_threads(count);
}
