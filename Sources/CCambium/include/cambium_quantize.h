// Quantising: the part of cambium.h that makes codes of a model's weights. Include cambium.h.

#ifndef CAMBIUM_QUANTIZE_H
#define CAMBIUM_QUANTIZE_H

#include "cambium.h"

// MARK: Quantising; JSON as of `quantize`

// Forms are "q8" and "q4"; NULL for parts that stay as they are, but one must be named.
typedef struct cambium_quantize_options {
    const char *experts;
    // Matrices of attention, feed-forwards and the head.
    const char *dense;
    const char *routers;
    const char *embeddings;
    // What bits per byte are measured of, before and after; NULL for nothing.
    const void *text;
    uint64_t text_count;
    // Bytes of it that count; 0 for all.
    uint64_t limit;
    // 0 for as many as there are processors.
    int32_t threads;
} cambium_quantize_options;

// Commits a revision's model with weights that are codes: to the commit's branch, or for NULL to the revision where it is a
// branch, else to HEAD's. One that is missing begins at the revision.
cambium_code cambium_quantize_model(
    cambium_store *store, const char *revision, const cambium_quantize_options *options,
    const cambium_commit_options *commit, cambium_progress progress, void *context, char **json);

#endif
