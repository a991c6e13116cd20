#include "check.h"
#include "programs.h"

#include <signal.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

static const char router[] = "model.layers.1.mlp.gate.weight";

static int patch_row(cambium_store *store, const char *branch, int64_t row, float with) {
    char message[32];
    snprintf(message, sizeof message, "%s %d", branch, (int)row);
    cambium_commit_options options = says(message);
    options.branch = branch;
    cambium_snapshot *snapshot = NULL;
    cambium_view view;
    OK(cambium_snapshot_open(store, branch, &snapshot));
    OK(cambium_snapshot_tensor(snapshot, router, 0, &view));
    const int64_t shape[] = {1, view.shape[1]}, one[] = {1};
    float *values = malloc(4 * view.shape[1]);
    for (int64_t i = 0; i < view.shape[1]; i++) values[i] = with;
    const cambium_tensor changes[] = {
        {router, "F32", shape, 2, values, 4 * (uint64_t)view.shape[1]},
        {"model.layers.1.mlp.gate.weight.rows", "I64", one, 1, &row, 8},
    };
    OK(cambium_patch_tensors(store, changes, 2, NULL, 0, &options, NULL, NULL, NULL));
    free(values);
    if (view.owner) OK(cambium_release(view.owner));
    return cambium_release(snapshot);
}

static int count_elements(void *context, const cambium_change *change) {
    *(int64_t *)context += change->kind == CAMBIUM_CHANGE_ELEMENTS ? (int64_t)change->index_count : 0;
    if (strcmp(change->name, router) || change->value_bytes != 4 * change->index_count) return 1;
    return 0;
}

static int stop(void *context, const cambium_change *change) { return context && change; }

int program_keeps_history(const char *folder, const char *work) {
    cambium_store *store = new_store(work, "S");
    CHECK(store);
    cambium_commit_options options = says("base");
    OK(cambium_commit_folder(store, folder, &options, NULL, NULL, NULL));
    OK(cambium_create_branch(store, "left", NULL));
    OK(cambium_create_branch(store, "right", "main"));
    CHECK(cambium_create_branch(store, "left", NULL) == CAMBIUM_EXISTS);
    CHECK(cambium_create_branch(store, "a b", NULL) == CAMBIUM_BAD_NAME);
    OK(cambium_create_tag(store, "v1", "main"));
    if (patch_row(store, "left", 1, 1) || patch_row(store, "right", 2, 2)) return 1;

    char *json = NULL;
    OK(cambium_branches(store, &json));
    CHECK(strstr(json, "\"left\"") && strstr(json, "\"isHead\":true"));
    cambium_free(json);
    OK(cambium_tags(store, &json));
    CHECK(strstr(json, "\"v1\""));
    cambium_free(json);
    OK(cambium_current_branch(store, &json));
    CHECK(strcmp(json, "main") == 0);
    cambium_free(json);
    OK(cambium_diff(store, "main", "left", 1, &json));
    CHECK(strstr(json, "\"rows\":[1]"));
    cambium_free(json);

    cambium_changes *changes = NULL;
    OK(cambium_changes_open(store, "main", "left", &changes));
    int64_t elements = 0;
    OK(cambium_changes_each(changes, NULL, 0, count_elements, &elements));
    CHECK(elements > 0);
    const char *const other[] = {"lm_head.weight"};
    elements = 0;
    OK(cambium_changes_each(changes, other, 1, count_elements, &elements));
    CHECK(elements == 0);
    CHECK(cambium_changes_each(changes, NULL, 0, stop, &elements) == CAMBIUM_CANCELLED);
    CHECK(cambium_changes_each(changes, NULL, 0, NULL, NULL) == CAMBIUM_USAGE);
    OK(cambium_changes_summary(changes, &json));
    CHECK(strstr(json, "\"added\":[]"));
    cambium_free(json);
    char path[1024];
    snprintf(path, sizeof path, "%s/step.safetensors", work);
    OK(cambium_changes_write(changes, path, 0, NULL, NULL, NULL));
    options = says("from a file");
    options.branch = "third";
    OK(cambium_patch_file(store, path, &options, NULL, NULL, NULL));
    OK(cambium_diff(store, "left", "third", 0, &json));
    CHECK(strstr(json, "\"identical\":true"));
    cambium_free(json);

    const char *const sides[] = {"left", "right"};
    cambium_merge_options merge = {.flags = CAMBIUM_DRY_RUN, .author = "C", .time = 2000};
    OK(cambium_merge(store, sides, 2, &merge, &json));
    CHECK(strstr(json, "\"kind\":\"merged\"") && !strstr(json, "\"commit\":\""));
    cambium_free(json);
    merge.flags = 0;
    OK(cambium_merge(store, sides, 2, &merge, &json));
    CHECK(strstr(json, "\"commit\":\""));
    cambium_free(json);
    OK(patch_row(store, "left", 2, 3));
    const char *const late[] = {"left"};
    OK(cambium_merge(store, late, 1, &merge, &json));
    CHECK(strstr(json, "\"kind\":\"conflicts\""));
    cambium_free(json);
    const char *const takes[] = {"router 1/2=left"};
    merge.takes = takes, merge.take_count = 1, merge.policy = "mean";
    OK(cambium_merge(store, late, 1, &merge, &json));
    CHECK(strstr(json, "\"kind\":\"merged\""));
    cambium_free(json);
    merge.policy = "best";
    CHECK(cambium_merge(store, late, 1, &merge, NULL) == CAMBIUM_USAGE);

    cambium_log_query query = {.limit = 1};
    OK(cambium_history(store, &query, &json));
    CHECK(strstr(json, "\"message\""));
    cambium_free(json);
    query = (cambium_log_query){.limit = -1};
    CHECK(cambium_history(store, &query, NULL) == CAMBIUM_USAGE);
    OK(cambium_history(store, NULL, NULL));
    OK(cambium_reflog(store, NULL, NULL));
    OK(cambium_rename_branch(store, "third", "fourth"));
    OK(cambium_delete_branch(store, "fourth"));
    OK(cambium_delete_tag(store, "v1"));
    OK(cambium_switch(store, "right"));
    OK(cambium_reset(store, "right~1", NULL, &json));
    CHECK(strstr(json, "\"old\":") && strstr(json, "\"new\":"));
    cambium_free(json);
    OK(cambium_collect(store, 1, 0, NULL));
    OK(cambium_verify(store, 0, NULL, NULL, &json));
    CHECK(strstr(json, "\"faults\":[]"));
    cambium_free(json);
    OK(cambium_overview(store, NULL));
    OK(cambium_statistics(store, NULL));
    snprintf(path, sizeof path, "%s/S", work);
    CHECK(cambium_repack(path, 0, NULL, NULL, NULL) == CAMBIUM_BUSY);
    OK(cambium_release(changes));
    OK(cambium_close(store));
    OK(cambium_repack(path, 1, NULL, NULL, NULL));
    OK(cambium_migrate(path, &json));
    cambium_free(json);
    return 0;
}

int program_is_refused(const char *folder, const char *work) {
    CHECK(strcmp(cambium_message(), "") == 0);
    CHECK(strcmp(cambium_code_name(CAMBIUM_BRANCH_MOVED), "branch-moved") == 0);
    CHECK(strcmp(cambium_code_name((cambium_code)77), "unknown") == 0);
    CHECK(strlen(cambium_version()) > 0);
    cambium_store *store = new_store(work, "S"), *none = NULL;
    CHECK(store);
    char path[1024];
    snprintf(path, sizeof path, "%s/S", work);
    CHECK(cambium_create(path, NULL) == CAMBIUM_EXISTS);
    CHECK(cambium_open(work, 0, &none) == CAMBIUM_NOT_A_STORE && !none);
    CHECK(cambium_open("/nowhere/at/all", 0, &none) != CAMBIUM_OK);
    CHECK(cambium_open(path, 0, NULL) == CAMBIUM_USAGE);
    CHECK(cambium_resolve(store, "HEAD", NULL) == CAMBIUM_NOT_FOUND);
    cambium_commit_options options = says("base");
    OK(cambium_commit_folder(store, folder, &options, NULL, NULL, NULL));
    CHECK(cambium_commit_folder(store, "/nowhere", &options, NULL, NULL, NULL) == CAMBIUM_NOT_FOUND);
    CHECK(cambium_commit_folder(store, folder, NULL, NULL, NULL, NULL) == CAMBIUM_USAGE);

    // Nothing at all.
    const cambium_code refused[] = {
        cambium_create(NULL, NULL), cambium_open(NULL, 0, &none), cambium_migrate(NULL, NULL),
        cambium_resolve(NULL, NULL, NULL), cambium_snapshot_open(NULL, NULL, NULL),
        cambium_snapshot_id(NULL, NULL), cambium_snapshot_tree(NULL, NULL),
        cambium_snapshot_commit(NULL, NULL), cambium_snapshot_tensors(NULL, NULL),
        cambium_snapshot_files(NULL, NULL), cambium_snapshot_pools(NULL, NULL),
        cambium_snapshot_tensor(NULL, NULL, 0, NULL), cambium_snapshot_rows(NULL, NULL, 0, 0, 0, NULL),
        cambium_snapshot_read(NULL, NULL, 0, 0, NULL, 0), cambium_snapshot_file(NULL, NULL, NULL),
        cambium_snapshot_expert_ids(NULL, 0, NULL, 0, 0, NULL),
        cambium_snapshot_expert(NULL, 0, NULL, 0, 0, NULL, NULL),
        cambium_snapshot_shared_by(NULL, 0, NULL, 0, NULL), cambium_snapshot_summary(NULL, NULL),
        cambium_commit_folder(NULL, NULL, NULL, NULL, NULL, NULL),
        cambium_commit_tensors(NULL, NULL, 0, NULL, 0, NULL, 0, NULL, NULL, NULL, NULL),
        cambium_patch_file(NULL, NULL, NULL, NULL, NULL, NULL),
        cambium_patch_tensors(NULL, NULL, 0, NULL, 0, NULL, NULL, NULL, NULL),
        cambium_commit_adapter(NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL),
        cambium_branches(NULL, NULL), cambium_tags(NULL, NULL), cambium_current_branch(NULL, NULL),
        cambium_create_branch(NULL, NULL, NULL), cambium_delete_branch(NULL, NULL),
        cambium_rename_branch(NULL, NULL, NULL), cambium_create_tag(NULL, NULL, NULL),
        cambium_delete_tag(NULL, NULL), cambium_switch(NULL, NULL), cambium_reset(NULL, NULL, NULL, NULL),
        cambium_history(NULL, NULL, NULL), cambium_show(NULL, NULL, NULL), cambium_reflog(NULL, NULL, NULL),
        cambium_diff(NULL, NULL, NULL, 0, NULL), cambium_merge(NULL, NULL, 0, NULL, NULL),
        cambium_revert(NULL, NULL, NULL, NULL), cambium_collect(NULL, 0, 0, NULL),
        cambium_verify(NULL, 0, NULL, NULL, NULL), cambium_overview(NULL, NULL),
        cambium_statistics(NULL, NULL), cambium_repack(NULL, 0, NULL, NULL, NULL),
        cambium_export(NULL, NULL, NULL, 0, NULL, NULL, NULL), cambium_changes_open(NULL, NULL, NULL, NULL),
        cambium_changes_summary(NULL, NULL), cambium_changes_each(NULL, NULL, 0, NULL, NULL),
        cambium_changes_write(NULL, NULL, 0, NULL, NULL, NULL), cambium_engine_open(NULL, NULL, 0, 0, NULL),
        cambium_engine_summary(NULL, NULL), cambium_engine_statistics(NULL, NULL),
        cambium_generate(NULL, NULL, 0, NULL, NULL, NULL, NULL),
        cambium_generate_tokens(NULL, NULL, 0, NULL, NULL, NULL, NULL),
        cambium_evaluate(NULL, NULL, 0, 0, 0, NULL, NULL, NULL),
        cambium_route(NULL, NULL, 0, NULL, 0, NULL, NULL, NULL), cambium_tokenize(NULL, NULL, 0, NULL),
        cambium_detokenize(NULL, NULL, 0, NULL), cambium_logits(NULL, NULL, 0, 0, NULL),
        cambium_show(store, NULL, NULL), cambium_merge(store, NULL, 3, NULL, NULL),
        cambium_diff(store, "main", NULL, 0, NULL),
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (refused[i] != CAMBIUM_USAGE) fprintf(stderr, "call %zu: %s\n", i, cambium_code_name(refused[i]));
        CHECK(refused[i] == CAMBIUM_USAGE);
    }
    OK(cambium_retain(NULL));
    OK(cambium_release(NULL));
    OK(cambium_close(NULL));
    cambium_free(NULL);

    // Handles of another kind, that never were, and that were closed.
    char id[65];
    CHECK(cambium_snapshot_id((cambium_snapshot *)store, id) == CAMBIUM_USAGE);
    CHECK(cambium_snapshot_id((cambium_snapshot *)(uintptr_t)0xdeadbeef, id) == CAMBIUM_CLOSED);
    CHECK(cambium_release(work) == CAMBIUM_CLOSED);
    OK(cambium_close(store));
    CHECK(cambium_close(store) == CAMBIUM_CLOSED);
    CHECK(cambium_branches(store, NULL) == CAMBIUM_CLOSED);
    CHECK(strstr(cambium_message(), "closed"));
    OK(cambium_open(path, CAMBIUM_OPEN_READ_ONLY, &store));
    CHECK(cambium_create_tag(store, "t", NULL) == CAMBIUM_READ_ONLY);
    return 0;
}

static int cancel(void *context, const char *phase, int64_t done, int64_t total) {
    ++*(int *)context;
    return phase && done >= 0 && total >= 0;
}

int program_cancels(const char *folder, const char *work) {
    cambium_store *store = new_store(work, "S");
    CHECK(store);
    cambium_commit_options options = says("base");
    int calls = 0;
    CHECK(cambium_commit_folder(store, folder, &options, cancel, &calls, NULL) == CAMBIUM_CANCELLED);
    CHECK(calls == 1);
    CHECK(cambium_resolve(store, "main", NULL) == CAMBIUM_NOT_FOUND);
    OK(cambium_commit_folder(store, folder, &options, NULL, NULL, NULL));
    char path[1024];
    snprintf(path, sizeof path, "%s/out", work);
    CHECK(cambium_export(store, "main", path, 0, cancel, &calls, NULL) == CAMBIUM_CANCELLED);
    CHECK(access(path, F_OK) != 0);
    CHECK(cambium_verify(store, 0, cancel, &calls, NULL) == CAMBIUM_CANCELLED);
    CHECK(calls == 3);
    return 0;
}

int program_forks(const char *folder, const char *work) {
    cambium_store *store = new_store(work, "S");
    CHECK(store);
    cambium_commit_options options = says("base");
    OK(cambium_commit_folder(store, folder, &options, NULL, NULL, NULL));
    cambium_snapshot *snapshot = NULL;
    OK(cambium_snapshot_open(store, "main", &snapshot));
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(60);
        cambium_view view;
        char id[65], path[1024];
        if (cambium_snapshot_tensor(snapshot, router, 0, &view) != CAMBIUM_FORKED) _exit(2);
        if (cambium_resolve(store, "main", id) != CAMBIUM_FORKED) _exit(3);
        if (cambium_release(snapshot) != CAMBIUM_OK || cambium_close(store) != CAMBIUM_OK) _exit(4);
        snprintf(path, sizeof path, "%s/S", work);
        cambium_store *own = NULL;
        if (cambium_open(path, 0, &own) != CAMBIUM_OK) _exit(5);
        options.branch = "child";
        options.flags = CAMBIUM_ALLOW_UNCHANGED;
        if (cambium_commit_folder(own, folder, &options, NULL, NULL, NULL) != CAMBIUM_OK) _exit(6);
        cambium_snapshot *mine = NULL;
        if (cambium_snapshot_open(own, "child", &mine) != CAMBIUM_OK) _exit(7);
        if (cambium_snapshot_tensor(mine, router, CAMBIUM_READ_CHECKED, &view) != CAMBIUM_OK) _exit(8);
        if (cambium_close(mine) != CAMBIUM_OK || cambium_close(own) != CAMBIUM_OK) _exit(9);
        _exit(0);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        fprintf(stderr, "the child ended with %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    // The parent's lease holds: what only it needs is not collected.
    OK(cambium_resolve(store, "child", NULL));
    options = says("other");
    options.flags = CAMBIUM_ALLOW_UNCHANGED;
    OK(cambium_commit_folder(store, folder, &options, NULL, NULL, NULL));
    cambium_view view;
    OK(cambium_snapshot_tensor(snapshot, router, CAMBIUM_READ_CHECKED, &view));
    char *json = NULL;
    OK(cambium_collect(store, 0, 0, &json));
    CHECK(strstr(json, "\"leases\":1"));
    cambium_free(json);
    return 0;
}

struct opener {
    const char *path;
    atomic_int ended, failed;
};

static void *open_again_and_again(void *context) {
    struct opener *opener = context;
    while (!opener->ended) {
        cambium_store *store = NULL;
        if (cambium_open(opener->path, 0, &store) != CAMBIUM_OK || cambium_close(store) != CAMBIUM_OK)
            opener->failed = 1;
    }
    return NULL;
}

// Most of the time the thread holds the lock of open stores, which a child would wait for in vain.
int program_forks_while_it_opens(const char *folder, const char *work) {
    cambium_store *store = new_store(work, "S");
    CHECK(store);
    cambium_commit_options options = says("base");
    OK(cambium_commit_folder(store, folder, &options, NULL, NULL, NULL));
    OK(cambium_close(store));
    char path[1024];
    snprintf(path, sizeof path, "%s/S", work);
    struct opener opener = {path, 0, 0};
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, open_again_and_again, &opener) == 0);
    int failures = 0;
    for (int i = 0; i < 40; i++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            alarm(20);
            cambium_store *own = NULL;
            if (cambium_open(path, 0, &own) != CAMBIUM_OK) _exit(2);
            if (cambium_resolve(own, "main", NULL) != CAMBIUM_OK) _exit(3);
            _exit(cambium_close(own) == CAMBIUM_OK ? 0 : 4);
        }
        int status = 0;
        CHECK(waitpid(child, &status, 0) == child);
        failures += !WIFEXITED(status) || WEXITSTATUS(status);
    }
    opener.ended = 1;
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(failures == 0 && !opener.failed);
    return 0;
}
