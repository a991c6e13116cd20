// The kernels that exist once per instruction set: dispatch.c chooses among these tables, and the
// tests hold them against each other. Only call a table that the CPU can run.
#ifndef CAMBIUM_VARIANTS_H
#define CAMBIUM_VARIANTS_H

#include "cambium_codes.h"
#include "cambium_kernels.h"

// The functions are those of cambium_kernels.h without their prefix.
struct cambium_variant {
    const char *name;
    float (*dot)(const float *, const void *, size_t);
    void (*axpy)(float, const void *, float *, size_t);
    void (*row_dots)(const void *, const float *, size_t, size_t, float *);
    void (*rms_norm)(const float *, const float *, size_t, size_t, float, float *);
    void (*silu_gate)(float *, const float *, size_t);
    void (*gelu_gate)(float *, const float *, size_t);
    void (*gelu)(float *, size_t);
    void (*softmax)(float *, size_t);
    void (*log_softmax)(const float *, size_t, float *);
    void (*neurons)(const float *, const void *const *, const float *, size_t, size_t,
                    enum cambium_expert_type, float *);
    void (*neuron_values)(const float *, const void *const *, const float *, size_t, size_t,
                          enum cambium_expert_type, float *);
    void (*neuron_sums)(const float *, const void *const *, size_t, size_t,
                        enum cambium_expert_type, size_t, size_t, float *);
    void (*attention)(const struct cambium_attention_shape *, const float *, const float *,
                      const float *, size_t, size_t, size_t, size_t, float *, float *);
    void (*delta_rule)(float *, const float *, const float *, const float *, float, float, size_t,
                       size_t, float *);
    void (*convolve)(const float *, const float *, size_t, size_t, float *);
    void (*rope)(float *, const float *, const float *, size_t, size_t, size_t);
    void (*panel_products)(const float *, size_t, size_t, size_t, size_t, const float *, size_t,
                           size_t, float *, size_t);
    void (*quantized_products)(const int8_t *, const float *, size_t, size_t, size_t, size_t,
                               const int16_t *, const float *, size_t, float *, size_t);
    void (*row_products)(const void *, enum cambium_float_type, size_t, size_t,
                         const float *const *, size_t, float *, size_t);
    void (*row_sums)(const void *, enum cambium_float_type, size_t, size_t, size_t,
                     const float *const *, size_t, float *, size_t);
    void (*sigmoid)(float *, size_t);
    void (*clamped_gate)(const float *, size_t, float, float, float *);
    float (*top)(const float *, size_t, size_t, uint32_t *, float *);
    float (*product_key_top)(const float *, size_t, const float *, size_t, size_t, uint32_t *,
                             float *);
    void (*add_row)(const void *, enum cambium_row_form, size_t, float *);
    void (*coded_products)(const struct cambium_coded_rows *, size_t, size_t, const float *const *,
                           size_t, float *, size_t);
    void (*coded_sums)(const struct cambium_coded_rows *, size_t, size_t, const float *const *, size_t,
                       float *, size_t);
    void (*column_products)(const struct cambium_column_codes *, size_t, size_t, const float *const *,
                            size_t, float *, size_t);
};

// The table that this program runs.
const struct cambium_variant *cambium_active_variant(void);
// The index-th table that this CPU can run, best first; NULL behind the last, the scalar one.
const struct cambium_variant *cambium_variant_at(size_t index);
// Makes the program run another table, for tests; NULL returns to the CPU's best.
void cambium_use_variant(const struct cambium_variant *variant);

#endif
