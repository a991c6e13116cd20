// The kernels that exist once per instruction set: dispatch.c chooses among these tables, and the
// tests hold them against each other. Only call a table that the CPU can run.
#ifndef CAMBIUM_VARIANTS_H
#define CAMBIUM_VARIANTS_H

#include "cambium_kernels.h"

struct cambium_variant {
    const char *name;
    float (*dot)(const float *, const void *, size_t);
    void (*axpy)(float, const void *, float *, size_t);
    void (*row_dots)(const void *, const float *, size_t, size_t, float *);
    void (*rms_norm)(const float *, const float *, size_t, size_t, float, float *);
    void (*silu_gate)(float *, const float *, size_t);
    void (*softmax)(float *, size_t);
    void (*neuron)(const float *, const void *, size_t, float, float *);
    void (*attention)(const float *, const float *, const float *, size_t, size_t, size_t, size_t,
                      size_t, float *, float *);
};

// The table that this CPU runs.
const struct cambium_variant *cambium_active_variant(void);

extern const struct cambium_variant cambium_scalar;
#if defined(__x86_64__)
extern const struct cambium_variant cambium_avx2;
#endif

#endif
