#include "cambium.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Says what went wrong, and ends the function.
#define TRY(call)                                                                                   \
    do {                                                                                            \
        cambium_code code = (call);                                                                 \
        if (code != CAMBIUM_OK) {                                                                   \
            fprintf(stderr, "%s: %s\n", cambium_code_name(code), cambium_message());                \
            return 1;                                                                               \
        }                                                                                           \
    } while (0)

static int show(void *context, const char *phase, int64_t done, int64_t total) {
    fprintf(context, "%s: %lld of %lld\n", phase, (long long)done, (long long)total);
    return 0;  // anything else cancels
}

// Commits a checkpoint's folder to a new store, changes one row of a tensor, and reads the row in place.
int program_example(const char *folder, const char *store_path) {
    cambium_store *store = NULL;
    TRY(cambium_create(store_path, "main"));
    TRY(cambium_open(store_path, 0, &store));
    cambium_commit_options options = {.message = "base"};
    char *json = NULL;
    TRY(cambium_commit_folder(store, folder, &options, show, stdout, &json));
    printf("%s\n", json);
    cambium_free(json);

    const char *name = "model.layers.1.mlp.gate.weight";
    cambium_snapshot *base = NULL;
    TRY(cambium_snapshot_open(store, "main", &base));
    cambium_view router;
    TRY(cambium_snapshot_tensor(base, name, 0, &router));  // bytes in the store's map; nothing is copied
    int64_t shape[] = {1, router.shape[1]}, one[] = {1}, number[] = {2};
    float *row = calloc((size_t)router.shape[1], sizeof *row);
    cambium_tensor change[] = {
        {name, "F32", shape, 2, row, (uint64_t)router.shape[1] * sizeof *row},
        {"model.layers.1.mlp.gate.weight.rows", "I64", one, 1, number, sizeof number},
    };
    char id[65];
    TRY(cambium_snapshot_id(base, id));
    options = (cambium_commit_options){.message = "row 2", .parent = id};
    TRY(cambium_patch_tensors(store, change, 2, NULL, 0, &options, NULL, NULL, NULL));

    cambium_snapshot *next = NULL;
    TRY(cambium_snapshot_open(store, "main", &next));
    cambium_view read;
    TRY(cambium_snapshot_rows(next, name, 2, 1, 0, &read));
    int same = memcmp(read.data, row, read.count) == 0;
    // What is kept as its difference from another version lies in memory of its own, which has an owner.
    TRY(cambium_release(read.owner));
    free(row);
    TRY(cambium_release(next));
    TRY(cambium_release(base));
    TRY(cambium_release(store));
    return same ? 0 : 1;
}
