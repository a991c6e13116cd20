#include "check.h"
#include "programs.h"

#include <math.h>

static int count_calls(void *context, const char *phase, int64_t done, int64_t total) {
    (void)phase, (void)done, (void)total;
    // A callback may read the store that is being written.
    char *json = NULL;
    if (cambium_branches(context, &json) != CAMBIUM_OK) return 1;
    cambium_free(json);
    return 0;
}

static int survives_numbers(cambium_store *store) {
    const int64_t one[] = {1}, nothing[] = {0, 3};
    int64_t deep[20];
    for (int i = 0; i < 20; i++) deep[i] = 1;
    const float value[] = {NAN};
    const cambium_tensor tensors[] = {
        {"deep", "F32", deep, 20, value, 4},
        {"nothing", "F32", nothing, 2, NULL, 0},
        {"one", "F32", one, 1, value, 4},
    };
    cambium_commit_options options = says("plain");
    options.branch = "plain";
    options.time = INT64_MIN;
    const cambium_metric metrics[] = {{"nan", NAN}, {"inf", -INFINITY}, {"", 1e308}};
    options.metrics = metrics, options.metric_count = 3;
    cambium_code code = cambium_commit_tensors(store, tensors, 3, NULL, 0, NULL, 0, &options, NULL, NULL, NULL);
    CHECK(code == CAMBIUM_OK || code == CAMBIUM_USAGE);
    options.metric_count = 0;
    options.time = INT64_MAX;
    options.author = "";
    OK(cambium_commit_tensors(store, tensors, 3, NULL, 0, NULL, 0, &options, count_calls, store, NULL));
    OK(cambium_history(store, &(cambium_log_query){.all = 1, .since = INT64_MIN, .until = INT64_MAX}, NULL));
    cambium_snapshot *snapshot = NULL;
    OK(cambium_snapshot_open(store, "plain", &snapshot));
    cambium_view view;
    CHECK(cambium_snapshot_tensor(snapshot, "deep", 0, &view) == CAMBIUM_TOO_LARGE);
    float read = 0;
    OK(cambium_snapshot_read(snapshot, "deep", 0, -1, &read, 4));
    CHECK(isnan(read));
    OK(cambium_snapshot_tensor(snapshot, "nothing", 0, &view));
    CHECK(view.count == 0 && view.shape[1] == 3 && view.data);
    OK(cambium_snapshot_rows(snapshot, "nothing", 0, 0, 0, &view));
    OK(cambium_snapshot_read(snapshot, "nothing", 0, -1, NULL, 0));
    CHECK(cambium_snapshot_rows(snapshot, "nothing", 0, 1, 0, &view) == CAMBIUM_NOT_FOUND);
    // Indices that are none.
    const uint64_t far[] = {UINT64_MAX};
    const int64_t negative[] = {-1};
    options = says("patch");
    options.branch = "plain";
#define SPARSE(index)                                                                                    \
    (cambium_tensor[]) {                                                                                 \
        {"one.index", index == far ? "U64" : "I64", one, 1, index, 8}, {"one.value", "F32", one, 1, value, 4} \
    }
    CHECK(cambium_patch_tensors(store, SPARSE((const void *)far), 2, NULL, 0, &options, NULL, NULL, NULL) == CAMBIUM_BAD_SHAPE);
    CHECK(cambium_patch_tensors(store, SPARSE((const void *)negative), 2, NULL, 0, &options, NULL, NULL, NULL) == CAMBIUM_BAD_SHAPE);
    const cambium_tensor rows[] = {{"one", "F32", one, 1, value, 4}, {"one.rows", "U64", one, 1, far, 8}};
    CHECK(cambium_patch_tensors(store, rows, 2, NULL, 0, &options, NULL, NULL, NULL) == CAMBIUM_BAD_SHAPE);
    const cambium_tensor none[] = {{"one", "F32", nothing, 1, NULL, 0}, {"one.rows", "U64", nothing, 1, NULL, 0}};
    code = cambium_patch_tensors(store, none, 2, NULL, 0, &options, NULL, NULL, NULL);
    CHECK(code == CAMBIUM_OK || code == CAMBIUM_BAD_SHAPE);
    OK(cambium_patch_tensors(store, NULL, 0, NULL, 0, &options, NULL, NULL, NULL));
    OK(cambium_release(snapshot));
    OK(cambium_collect(store, 1, INT64_MAX, NULL));
    OK(cambium_collect(store, 0, INT64_MIN, NULL));
    return 0;
}

static int survives_merges(cambium_store *store) {
    OK(cambium_create_branch(store, "left", "main"));
    const char *const sides[] = {"left"};
    static const double odd[] = {NAN, -1, INFINITY, -INFINITY, 1e308, 5e-324};
    static const char *const policies[] = {"mean", "ties", "task", "fisher", "regmean"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        for (size_t policy = 0; policy < 5; policy++) {
            const cambium_metric weights[] = {{"left", odd[i]}};
            const cambium_merge_options options = {
                .policy = policies[policy], .weights = weights, .weight_count = 1, .density = odd[i],
                .scale = odd[i], .flags = CAMBIUM_DRY_RUN, .time = INT64_MIN,
            };
            char *json = NULL;
            cambium_code code = cambium_merge(store, sides, 1, &options, &json);
            CHECK(code == CAMBIUM_OK || code == CAMBIUM_USAGE);
            cambium_free(json);
        }
    }
    return 0;
}

static cambium_code quantize(cambium_store *store, cambium_quantize_options wishes) {
    cambium_commit_options options = says("codes");
    options.branch = "codes";
    char *json = NULL;
    cambium_code code = cambium_quantize_model(store, "main", &wishes, &options, count_calls, store, &json);
    cambium_free(json);
    return code;
}

static int survives_codes(cambium_store *store) {
    const cambium_commit_options options = says("codes");
    CHECK(cambium_quantize_model(store, "main", NULL, &options, NULL, NULL, NULL) == CAMBIUM_USAGE);
    CHECK(cambium_quantize_model(NULL, "main", NULL, &options, NULL, NULL, NULL) != CAMBIUM_OK);
    CHECK(quantize(store, (cambium_quantize_options){.experts = "q5"}) == CAMBIUM_USAGE);
    CHECK(quantize(store, (cambium_quantize_options){.dense = "q8", .threads = -1}) == CAMBIUM_USAGE);
    CHECK(quantize(store, (cambium_quantize_options){.dense = "q8", .text_count = 2, .text = "ab"}) == CAMBIUM_BAD_INPUT);
    OK(quantize(store, (cambium_quantize_options){.dense = "q8"}));
    CHECK(quantize(store, (cambium_quantize_options){.dense = "q4"}) == CAMBIUM_BRANCH_MOVED);
    return 0;
}

static int survives_reports(cambium_store *store) {
    char *text = NULL;
    const char *nowhere[] = {"nowhere"};
    CHECK(cambium_report(store, nowhere, 1, NULL, &text) == CAMBIUM_NOT_FOUND);
    CHECK(cambium_report(store, NULL, 1, NULL, &text) == CAMBIUM_USAGE);
    CHECK(cambium_report(NULL, NULL, 0, NULL, &text) != CAMBIUM_OK);
    CHECK(cambium_figure(store, "pie", NULL, 0, NULL, &text) == CAMBIUM_USAGE);
    CHECK(cambium_figure(store, NULL, NULL, 0, NULL, &text) == CAMBIUM_USAGE);
    CHECK(cambium_figure(store, "matrix", NULL, 0, "png", &text) == CAMBIUM_USAGE);
    OK(cambium_report(store, NULL, 0, "<title>", &text));
    CHECK(strstr(text, "<!doctype html>") == text && strstr(text, "&lt;title&gt;"));
    cambium_free(text);
    for (int form = 0; form < 3; form++) {
        OK(cambium_figure(store, "history", NULL, 0, (const char *[]){NULL, "csv", "svg"}[form], &text));
        cambium_free(text);
    }
    return 0;
}

int program_survives(const char *folder, const char *work) {
    cambium_store *store = new_store(work, "S");
    CHECK(store);
    cambium_commit_options options = says("base");
    OK(cambium_commit_folder(store, folder, &options, count_calls, store, NULL));
    if (survives_numbers(store) || survives_merges(store) || survives_codes(store)
        || survives_reports(store))
        return 1;
    char long_name[5000];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = 0;
    CHECK(cambium_create_branch(store, long_name, NULL) == CAMBIUM_BAD_NAME);
    CHECK(cambium_resolve(store, long_name, NULL) != CAMBIUM_OK);
    CHECK(cambium_resolve(store, "", NULL) != CAMBIUM_OK);
    CHECK(cambium_resolve(store, "main~99999999999999999999", NULL) != CAMBIUM_OK);
    CHECK(cambium_create("", NULL) != CAMBIUM_OK);
    CHECK(cambium_create(long_name, NULL) != CAMBIUM_OK);
    CHECK(cambium_open("", 0, &store) != CAMBIUM_OK);
    char path[1024];
    snprintf(path, sizeof path, "%s/S", work);
    CHECK(cambium_export(store, "main", path, CAMBIUM_OVERWRITE, NULL, NULL, NULL) == CAMBIUM_USAGE);

    cambium_engine *engine = NULL;
    CHECK(cambium_engine_open(store, "plain", 0, 0, &engine) == CAMBIUM_MISSING_TENSOR);
    CHECK(cambium_engine_open(store, "main", 1, 0, &engine) == CAMBIUM_LIMIT);
    OK(cambium_engine_open(store, "main", UINT64_MAX, 0, &engine));
    const int64_t tokens[] = {1, 2, 3}, odd[] = {INT64_MIN, INT64_MAX, -1};
    cambium_view view;
    CHECK(cambium_logits(engine, NULL, 0, 1, &view) == CAMBIUM_BAD_INPUT);
    CHECK(cambium_logits(engine, odd, 3, 1, &view) == CAMBIUM_BAD_INPUT);
    OK(cambium_logits(engine, tokens, 3, 1, &view));
    OK(cambium_release(view.owner));
    int64_t *many = calloc(100000, 8);
    CHECK(cambium_logits(engine, many, 100000, 1, &view) == CAMBIUM_CONTEXT_FULL);
    const cambium_sampling sampling = {.count = 1, .temperature = 5e-324, .top_p = 5e-324, .seed = UINT64_MAX};
    OK(cambium_generate_tokens(engine, tokens, 3, &sampling, NULL, NULL, NULL));
    CHECK(cambium_generate_tokens(engine, many, 100000, &sampling, NULL, NULL, NULL) == CAMBIUM_CONTEXT_FULL);
    free(many);
    CHECK(cambium_chat_prompt(engine, NULL, NULL) == CAMBIUM_USAGE);
    CHECK(cambium_chat_prompt(engine, "[", NULL) == CAMBIUM_BAD_INPUT);
    CHECK(cambium_chat(engine, "[]", NULL, NULL, NULL, NULL) == CAMBIUM_USAGE);
    CHECK(cambium_chat(engine, "[{\"role\": \"user\"}]", &sampling, NULL, NULL, NULL) == CAMBIUM_UNSUPPORTED);
    char *text = NULL;
    OK(cambium_detokenize(engine, odd, 3, &text));
    cambium_free(text);
    cambium_routes routes;
    CHECK(cambium_route(engine, "abc", 3, odd, 3, NULL, NULL, &routes) == CAMBIUM_NOT_FOUND);
    return 0;
}
