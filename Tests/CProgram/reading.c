#include "check.h"
#include "programs.h"

#include <pthread.h>

static const char router[] = "model.layers.1.mlp.gate.weight";

int program_reads(const char *folder, const char *work) {
    cambium_store *store = new_store(work, "S");
    CHECK(store);
    cambium_commit_options options = says("base");
    char *json = NULL;
    OK(cambium_commit_folder(store, folder, &options, NULL, NULL, &json));
    char id[65], other[65];
    strcpy(id, field(json, "id"));
    cambium_free(json);
    OK(cambium_resolve(store, "main", other));
    CHECK(strlen(other) == 64 && strcmp(id, other) == 0);

    cambium_snapshot *snapshot = NULL;
    OK(cambium_snapshot_open(store, "main", &snapshot));
    OK(cambium_snapshot_id(snapshot, other));
    CHECK(strcmp(id, other) == 0);
    OK(cambium_snapshot_tree(snapshot, other));
    CHECK(strcmp(id, other) != 0);
    OK(cambium_snapshot_commit(snapshot, &json));
    CHECK(strstr(json, "\"message\":\"base\"") && strstr(json, "\"time\":1000"));
    cambium_free(json);
    OK(cambium_snapshot_summary(snapshot, &json));
    CHECK(strstr(json, "\"architecture\":\"qwen3_moe\""));
    cambium_free(json);
    OK(cambium_snapshot_tensors(snapshot, &json));
    CHECK(strstr(json, router));
    cambium_free(json);
    OK(cambium_snapshot_files(snapshot, &json));
    CHECK(strstr(json, "config.json"));
    cambium_free(json);
    OK(cambium_snapshot_pools(snapshot, &json));
    CHECK(strstr(json, "model.layers.1.mlp.experts.{e}.down_proj.weight"));
    cambium_free(json);

    // The store's handle may go: the snapshot keeps what it needs.
    OK(cambium_release(store));
    cambium_view whole, again, rows, file;
    OK(cambium_snapshot_tensor(snapshot, router, CAMBIUM_READ_CHECKED, &whole));
    CHECK(whole.rank == 2 && strcmp(whole.dtype, "F32") == 0);
    CHECK(whole.count == 4 * (uint64_t)(whole.shape[0] * whole.shape[1]));
    CHECK(whole.flags & CAMBIUM_VIEW_MAPPED && !whole.owner);
    OK(cambium_snapshot_tensor(snapshot, router, 0, &again));
    CHECK(again.data == whole.data);
    OK(cambium_snapshot_rows(snapshot, router, 1, 2, 0, &rows));
    CHECK(rows.shape[0] == 2 && rows.shape[1] == whole.shape[1]);
    CHECK((const char *)rows.data == (const char *)whole.data + 4 * whole.shape[1]);
    OK(cambium_snapshot_rows(snapshot, router, whole.shape[0], 0, 0, &rows));
    CHECK(rows.count == 0);
    char *copy = malloc(whole.count);
    OK(cambium_snapshot_read(snapshot, router, 0, -1, copy, whole.count));
    CHECK(memcmp(copy, whole.data, whole.count) == 0);
    OK(cambium_snapshot_read(snapshot, router, 1, 1, copy, 4 * (uint64_t)whole.shape[1]));
    CHECK(memcmp(copy, (const char *)whole.data + 4 * whole.shape[1], 4 * whole.shape[1]) == 0);
    CHECK(cambium_snapshot_read(snapshot, router, 0, -1, copy, 3) == CAMBIUM_BAD_SHAPE);
    free(copy);
    OK(cambium_snapshot_file(snapshot, "config.json", &file));
    CHECK(file.owner && !(file.flags & CAMBIUM_VIEW_MAPPED) && ((const char *)file.data)[0] == '{');
    OK(cambium_release(file.owner));

    uint8_t ids[64];
    OK(cambium_snapshot_expert_ids(snapshot, 1, NULL, 2, 2, ids));
    cambium_view expert, part;
    OK(cambium_snapshot_expert(snapshot, 1, "base", 3, CAMBIUM_READ_CHECKED, id, &expert));
    char digits[3];
    snprintf(digits, sizeof digits, "%02x", ids[32]);
    CHECK(strncmp(digits, id, 2) == 0);
    OK(cambium_snapshot_tensor(snapshot, "model.layers.1.mlp.experts.3.gate_proj.weight", 0, &part));
    CHECK(part.data == expert.data && part.count == expert.count / 3);
    OK(cambium_snapshot_shared_by(snapshot, 1, NULL, 3, &json));
    CHECK(strcmp(json, "[{\"kind\":\"branch\",\"name\":\"main\"}]") == 0);
    cambium_free(json);

    CHECK(cambium_snapshot_tensor(snapshot, "none", 0, &again) == CAMBIUM_NOT_FOUND);
    CHECK(strstr(cambium_message(), "none"));
    CHECK(cambium_snapshot_rows(snapshot, router, 0, whole.shape[0] + 1, 0, &rows) == CAMBIUM_NOT_FOUND);
    CHECK(cambium_snapshot_rows(snapshot, router, -1, 1, 0, &rows) == CAMBIUM_USAGE);
    CHECK(cambium_snapshot_rows(snapshot, router, INT64_MAX, INT64_MAX, 0, &rows) == CAMBIUM_USAGE);
    CHECK(cambium_snapshot_expert(snapshot, -1, NULL, 0, 0, NULL, &expert) == CAMBIUM_NOT_FOUND);
    CHECK(cambium_snapshot_expert(snapshot, INT64_MAX, NULL, 0, 0, NULL, &expert) == CAMBIUM_NOT_FOUND);
    CHECK(cambium_snapshot_expert(snapshot, 1, NULL, 1 << 20, 0, NULL, &expert) == CAMBIUM_NOT_FOUND);
    CHECK(cambium_snapshot_expert(snapshot, 1, NULL, -1, 0, NULL, &expert) == CAMBIUM_NOT_FOUND);
    CHECK(cambium_snapshot_expert_ids(snapshot, 1, NULL, 0, 1 << 20, ids) == CAMBIUM_NOT_FOUND);
    CHECK(cambium_snapshot_shared_by(snapshot, INT64_MIN, NULL, 0, &json) == CAMBIUM_NOT_FOUND);
    CHECK(cambium_snapshot_file(snapshot, "../config.json", &file) == CAMBIUM_NOT_FOUND);
    OK(cambium_close(snapshot));
    CHECK(cambium_snapshot_tensor(snapshot, router, 0, &again) == CAMBIUM_CLOSED);
    return 0;
}

static void *read_much(void *handle) {
    cambium_snapshot *snapshot = handle;
    for (int i = 0; i < 200; i++) {
        cambium_view view;
        char name[96];
        snprintf(name, sizeof name, "model.layers.%d.mlp.experts.%d.up_proj.weight", 1 + i % 2, i % 16);
        if (cambium_snapshot_tensor(snapshot, name, CAMBIUM_READ_CHECKED, &view) != CAMBIUM_OK) return handle;
        // Messages are of their own thread.
        if (cambium_snapshot_tensor(snapshot, "none", 0, &view) != CAMBIUM_NOT_FOUND) return handle;
        if (!strstr(cambium_message(), "none")) return handle;
        if (cambium_retain(snapshot) != CAMBIUM_OK || cambium_release(snapshot) != CAMBIUM_OK) return handle;
    }
    return NULL;
}

int program_shares_handles(const char *folder, const char *work) {
    cambium_store *store = new_store(work, "S");
    CHECK(store);
    cambium_commit_options options = says("base");
    OK(cambium_commit_folder(store, folder, &options, NULL, NULL, NULL));
    cambium_snapshot *snapshot = NULL;
    OK(cambium_snapshot_open(store, "main", &snapshot));
    pthread_t threads[8];
    for (int i = 0; i < 8; i++) CHECK(pthread_create(&threads[i], NULL, read_much, snapshot) == 0);
    for (int i = 0; i < 8; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        CHECK(!failed);
    }
    // Two counts: the second release closes.
    OK(cambium_retain(snapshot));
    OK(cambium_release(snapshot));
    char id[65];
    OK(cambium_snapshot_id(snapshot, id));
    OK(cambium_release(snapshot));
    CHECK(cambium_snapshot_id(snapshot, id) == CAMBIUM_CLOSED);
    CHECK(cambium_release(snapshot) == CAMBIUM_CLOSED);
    OK(cambium_close(store));
    return 0;
}
