#include "check.h"
#include "programs.h"

static const int64_t matrix[] = {3, 2}, vector[] = {2}, one[] = {1};
static float weights[] = {1, 2, 3, 4, 5, 6}, bias[] = {7, 8};

int program_commits(const char *unused, const char *work) {
    (void)unused;
    cambium_store *store = new_store(work, "S"), *second = new_store(work, "T");
    CHECK(store && second);
    const cambium_tensor tensors[] = {
        {"w", "F32", matrix, 2, weights, sizeof weights},
        {"b", "F32", vector, 1, bias, sizeof bias},
        {"empty", "U8", (int64_t[]){0}, 1, NULL, 0},
        {"scalar", "F32", NULL, 0, bias, 4},
    };
    const cambium_file files[] = {{"config.json", "{\"a\":1}", 7}, {"notes.txt", "x", 1}};
    const cambium_pair header[] = {{"format", "pt"}};
    cambium_commit_options options = says("in memory");
    const cambium_pair metadata[] = {{"run", "7"}};
    const cambium_metric metrics[] = {{"loss", 0.5}};
    options.metadata = metadata, options.metadata_count = 1;
    options.metrics = metrics, options.metric_count = 1;
    char *json = NULL, id[65];
    OK(cambium_commit_tensors(store, tensors, 4, files, 2, header, 1, &options, NULL, NULL, &json));
    strcpy(id, field(json, "id"));
    cambium_free(json);
    OK(cambium_show(store, id, &json));
    CHECK(strstr(json, "\"run\":\"7\"") && strstr(json, "\"loss\":0.5"));
    cambium_free(json);

    // The folder that it is gives the same model, and but for the file that no folder keeps the same tree.
    OK(cambium_commit_tensors(second, tensors, 4, files, 1, header, 1, &options, NULL, NULL, &json));
    char tree[65];
    strcpy(tree, field(json, "tree"));
    cambium_free(json);
    char folder[1024];
    snprintf(folder, sizeof folder, "%s/out", work);
    OK(cambium_export(second, "main", folder, 0, NULL, NULL, NULL));
    CHECK(cambium_export(second, "main", folder, 0, NULL, NULL, NULL) == CAMBIUM_EXISTS);
    OK(cambium_export(second, "main", folder, CAMBIUM_OVERWRITE, NULL, NULL, NULL));
    OK(cambium_commit_folder(second, folder, &options, NULL, NULL, &json));
    CHECK(strstr(json, "\"unchanged\":true"));
    CHECK(strcmp(field(json, "tree"), tree) == 0);
    cambium_free(json);

    // What cannot be committed.
#define REFUSED(tensor, code)                                                                     \
    do {                                                                                          \
        const cambium_tensor bad[] = {tensors[0], tensor};                                        \
        CHECK(cambium_commit_tensors(                                                             \
                  store, bad, 2, NULL, 0, NULL, 0, &options, NULL, NULL, NULL) == (code));        \
    } while (0)
    REFUSED(((cambium_tensor){"b", "F31", vector, 1, bias, 8}), CAMBIUM_UNKNOWN_TYPE);
    REFUSED(((cambium_tensor){"b", "F32", vector, 1, bias, 4}), CAMBIUM_BAD_SHAPE);
    REFUSED(((cambium_tensor){"w", "F32", vector, 1, bias, 8}), CAMBIUM_DUPLICATE_NAME);
    REFUSED(((cambium_tensor){"", "F32", vector, 1, bias, 8}), CAMBIUM_UNSUPPORTED);
    REFUSED(((cambium_tensor){"b", "F32", (int64_t[]){-1}, 1, bias, 8}), CAMBIUM_UNSUPPORTED);
    REFUSED(((cambium_tensor){"b", "F32", (int64_t[]){INT64_MAX, 4}, 2, bias, 8}), CAMBIUM_UNSUPPORTED);
    REFUSED(((cambium_tensor){"b", "F4", one, 1, bias, 0}), CAMBIUM_UNSUPPORTED);
    REFUSED(((cambium_tensor){"b", "F32", vector, 1, NULL, 8}), CAMBIUM_USAGE);
    REFUSED(((cambium_tensor){"b", "F32", NULL, 1, bias, 8}), CAMBIUM_USAGE);
    REFUSED(((cambium_tensor){NULL, "F32", vector, 1, bias, 8}), CAMBIUM_USAGE);
    REFUSED(((cambium_tensor){"b", NULL, vector, 1, bias, 8}), CAMBIUM_USAGE);
    REFUSED(((cambium_tensor){"\xff", "F32", vector, 1, bias, 8}), CAMBIUM_BAD_INPUT);
    REFUSED(((cambium_tensor){"b", "F32", vector, UINT64_MAX, bias, 8}), CAMBIUM_TOO_LARGE);
    REFUSED(((cambium_tensor){"b", "F32", vector, 1, bias, UINT64_MAX}), CAMBIUM_TOO_LARGE);
    const cambium_file bad_files[] = {{"../x", "x", 1}};
    CHECK(cambium_commit_tensors(store, tensors, 2, bad_files, 1, NULL, 0, &options, NULL, NULL, NULL) == CAMBIUM_BAD_NAME);
    const cambium_file taken[] = {{"model.safetensors", "x", 1}};
    CHECK(cambium_commit_tensors(store, tensors, 2, taken, 1, NULL, 0, &options, NULL, NULL, NULL) == CAMBIUM_BAD_NAME);
    const cambium_pair twice[] = {{"a", "1"}, {"a", "2"}};
    options.metadata = twice, options.metadata_count = 2;
    CHECK(cambium_commit_tensors(store, tensors, 2, NULL, 0, NULL, 0, &options, NULL, NULL, NULL) == CAMBIUM_DUPLICATE_NAME);
    options.metadata_count = 0;
    options.parent = "main~1";
    CHECK(cambium_commit_tensors(store, tensors, 2, NULL, 0, NULL, 0, &options, NULL, NULL, NULL) == CAMBIUM_NOT_FOUND);
    options.parent = NULL;
    options.message = "";
    CHECK(cambium_commit_tensors(store, tensors, 2, NULL, 0, NULL, 0, &options, NULL, NULL, NULL) == CAMBIUM_USAGE);
    char now[65];
    OK(cambium_resolve(store, "main", now));
    CHECK(strcmp(id, now) == 0);
    return 0;
}

int program_patches(const char *folder, const char *work) {
    cambium_store *store = new_store(work, "S");
    CHECK(store);
    cambium_commit_options options = says("base");
    OK(cambium_commit_folder(store, folder, &options, NULL, NULL, NULL));
    char base[65];
    OK(cambium_resolve(store, "main", base));
    cambium_snapshot *old = NULL, *new = NULL;
    OK(cambium_snapshot_open(store, "main", &old));
    cambium_view router, expert, third, view;
    const char name[] = "model.layers.1.mlp.gate.weight";
    OK(cambium_snapshot_tensor(old, name, 0, &router));
    OK(cambium_snapshot_expert(old, 1, NULL, 5, 0, NULL, &expert));
    OK(cambium_snapshot_expert(old, 1, NULL, 3, 0, NULL, &third));

    // A row, two elements of an expert's matrix, and a whole expert, in one commit.
    float *row = malloc(4 * router.shape[1]);
    for (int64_t i = 0; i < router.shape[1]; i++) row[i] = (float)i;
    const int64_t row_shape[] = {1, router.shape[1]}, number[] = {2};
    const uint32_t index[] = {0, 9};
    const float value[] = {-1, -2};
    const cambium_tensor changes[] = {
        {name, "F32", row_shape, 2, row, 4 * (uint64_t)router.shape[1]},
        {"model.layers.1.mlp.gate.weight.rows", "I64", one, 1, number, 8},
        {"model.layers.1.mlp.experts.5.gate_proj.weight.index", "U32", vector, 1, index, 8},
        {"model.layers.1.mlp.experts.5.gate_proj.weight.value", "F32", vector, 1, value, 8},
    };
    const cambium_expert_edit edits[] = {{1, NULL, 7, third.data, third.count}, {2, "base", 4, NULL, 0}};
    options = says("patch");
    options.parent = base;
    char *json = NULL;
    OK(cambium_patch_tensors(store, changes, 4, edits, 2, &options, NULL, NULL, &json));
    CHECK(strstr(json, "\"unchanged\":false"));
    cambium_free(json);
    OK(cambium_snapshot_open(store, "main", &new));
    OK(cambium_snapshot_rows(new, name, 2, 1, 0, &view));
    CHECK(memcmp(view.data, row, view.count) == 0);
    if (view.owner) OK(cambium_release(view.owner));
    OK(cambium_snapshot_rows(new, name, 0, 2, CAMBIUM_READ_CHECKED, &view));
    CHECK(memcmp(view.data, router.data, view.count) == 0);
    if (view.owner) OK(cambium_release(view.owner));
    OK(cambium_snapshot_expert(new, 1, NULL, 5, CAMBIUM_READ_CHECKED, NULL, &view));
    CHECK(((const float *)view.data)[0] == -1 && ((const float *)view.data)[9] == -2);
    CHECK(memcmp((const float *)view.data + 10, (const float *)expert.data + 10, view.count - 40) == 0);
    char id[65], other[65];
    OK(cambium_snapshot_expert(new, 1, NULL, 7, 0, id, &view));
    OK(cambium_snapshot_expert(old, 1, NULL, 3, 0, other, &view));
    CHECK(strcmp(id, other) == 0);
    CHECK(cambium_snapshot_expert(new, 2, NULL, 4, 0, NULL, &view) == CAMBIUM_NOT_FOUND);

    // The parent is not the branch's head any more.
    CHECK(cambium_patch_tensors(store, changes, 4, NULL, 0, &options, NULL, NULL, NULL) == CAMBIUM_BRANCH_MOVED);
    options.parent = NULL;
    CHECK(cambium_patch_tensors(store, changes, 3, NULL, 0, &options, NULL, NULL, NULL) == CAMBIUM_BAD_SHAPE);
    const cambium_tensor unknown[] = {{"none", "F32", vector, 1, bias, 8}};
    CHECK(cambium_patch_tensors(store, unknown, 1, NULL, 0, &options, NULL, NULL, NULL) == CAMBIUM_NOT_FOUND);
    const cambium_expert_edit far[] = {{1, NULL, INT64_MAX, third.data, third.count}};
    CHECK(cambium_patch_tensors(store, NULL, 0, far, 1, &options, NULL, NULL, NULL) == CAMBIUM_USAGE);
    const cambium_expert_edit shorter[] = {{1, NULL, 0, third.data, third.count - 4}};
    CHECK(cambium_patch_tensors(store, NULL, 0, shorter, 1, &options, NULL, NULL, NULL) == CAMBIUM_BAD_SHAPE);
    const cambium_expert_edit nowhere[] = {{INT64_MIN, "x", 0, NULL, 0}};
    CHECK(cambium_patch_tensors(store, NULL, 0, nowhere, 1, &options, NULL, NULL, NULL) == CAMBIUM_NOT_FOUND);
    free(row);
    return 0;
}
