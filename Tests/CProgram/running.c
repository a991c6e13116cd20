#include "check.h"
#include "programs.h"

static int take_three(void *context, uint64_t prompt, const char *bytes, uint64_t count) {
    int *seen = context;
    if (prompt != 0 || count != 1 || !bytes) return 1;
    return ++*seen >= 3;
}

static int take_token(void *context, int64_t token) {
    *(int64_t *)context = token;
    return 1;
}

static int cancel(void *context, const char *phase, int64_t done, int64_t total) {
    return context && phase && done >= total - total;
}

int program_runs_a_model(const char *peer, const char *work) {
    cambium_store *store = new_store(work, "S");
    CHECK(store);
    cambium_commit_options options = says("base");
    OK(cambium_commit_folder(store, peer, &options, NULL, NULL, NULL));
    cambium_engine *engine = NULL;
    CHECK(cambium_engine_open(store, "none", 0, 0, &engine) == CAMBIUM_NOT_FOUND);
    OK(cambium_engine_open(store, "main", 0, CAMBIUM_ENGINE_COLD, &engine));
    OK(cambium_release(store));
    char *json = NULL;
    OK(cambium_engine_summary(engine, &json));
    CHECK(strstr(json, "\"takesBytes\":true") && strstr(json, "\"vocabularySize\":256"));
    cambium_free(json);

    const cambium_file prompts[] = {{NULL, "Once ", 5}};
    cambium_sampling sampling = {.count = 20, .threads = 1};
    OK(cambium_generate(engine, prompts, 1, &sampling, NULL, NULL, &json));
    CHECK(strstr(json, "\"end\":\"count\""));
    cambium_free(json);
    int seen = 0;
    OK(cambium_generate(engine, prompts, 1, &sampling, take_three, &seen, &json));
    CHECK(seen == 3 && strstr(json, "\"end\":\"receiver\""));
    cambium_free(json);
    const int64_t tokens[] = {'O', 'n', 'c', 'e'}, wrong[] = {'O', 256}, negative[] = {-1};
    int64_t token = -1;
    OK(cambium_generate_tokens(engine, tokens, 4, &sampling, take_token, &token, NULL));
    CHECK(token >= 0 && token < 256);
    CHECK(cambium_generate_tokens(engine, wrong, 2, &sampling, NULL, NULL, NULL) == CAMBIUM_BAD_INPUT);
    CHECK(cambium_generate_tokens(engine, negative, 1, &sampling, NULL, NULL, NULL) == CAMBIUM_BAD_INPUT);
    CHECK(cambium_generate_tokens(engine, NULL, 0, &sampling, NULL, NULL, NULL) == CAMBIUM_BAD_INPUT);
    sampling.count = INT64_MAX;
    OK(cambium_generate(engine, prompts, 1, &sampling, take_three, &seen, NULL));
    sampling.count = -1;
    CHECK(cambium_generate(engine, prompts, 1, &sampling, NULL, NULL, NULL) == CAMBIUM_USAGE);
    sampling = (cambium_sampling){.count = 1, .temperature = -1};
    CHECK(cambium_generate(engine, prompts, 1, &sampling, NULL, NULL, NULL) == CAMBIUM_USAGE);
    sampling = (cambium_sampling){.count = 1, .threads = -1};
    CHECK(cambium_generate(engine, prompts, 1, &sampling, NULL, NULL, NULL) == CAMBIUM_USAGE);
    sampling = (cambium_sampling){.count = 1};
    OK(cambium_generate(engine, prompts, 0, &sampling, NULL, NULL, &json));
    CHECK(strcmp(json, "[]") == 0);
    cambium_free(json);

    cambium_view view;
    OK(cambium_tokenize(engine, "Once", 4, &view));
    CHECK(view.shape[0] == 4 && memcmp(view.data, tokens, 32) == 0);
    OK(cambium_release(view.owner));
    char *text = NULL;
    OK(cambium_detokenize(engine, tokens, 4, &text));
    CHECK(strcmp(text, "Once") == 0);
    cambium_free(text);
    OK(cambium_logits(engine, tokens, 4, 0, &view));
    CHECK(view.shape[0] == 4 && view.shape[1] == 256 && view.count == 4 * 4 * 256);
    OK(cambium_release(view.owner));
    CHECK(cambium_logits(engine, wrong, 2, 1, &view) == CAMBIUM_BAD_INPUT);

    cambium_routes routes;
    OK(cambium_route(engine, "Once upon", 9, NULL, 0, NULL, NULL, &routes));
    CHECK(routes.tokens == 9 && routes.layers > 0 && routes.heads > 0 && routes.picks > 0);
    CHECK(routes.token_ids[0] == 'O' && routes.experts[0] >= 0 && routes.weights[0] > 0);
    float sum = 0;
    for (uint64_t i = 0; i < routes.picks; i++) sum += routes.weights[i];
    CHECK(sum > 0.99f && sum < 1.01f);
    OK(cambium_release(routes.owner));
    const int64_t layers[] = {77};
    CHECK(cambium_route(engine, "Once", 4, layers, 1, NULL, NULL, &routes) == CAMBIUM_NOT_FOUND);
    CHECK(cambium_route(engine, "", 0, NULL, 0, NULL, NULL, &routes) == CAMBIUM_USAGE);
    CHECK(cambium_route(engine, "Once", 4, NULL, 0, cancel, &seen, &routes) == CAMBIUM_CANCELLED);

    char *long_text = malloc(8192);
    for (int i = 0; i < 8192; i++) long_text[i] = (char)('a' + i * 7 % 26);
    OK(cambium_evaluate(engine, long_text, 8192, 0, 1, NULL, NULL, &json));
    CHECK(strstr(json, "\"bitsPerByte\":"));
    cambium_free(json);
    CHECK(cambium_evaluate(engine, long_text, 8192, 0, 1, cancel, &seen, NULL) == CAMBIUM_CANCELLED);
    CHECK(cambium_evaluate(engine, long_text, 1, 0, 1, NULL, NULL, NULL) == CAMBIUM_BAD_INPUT);
    free(long_text);
    OK(cambium_engine_statistics(engine, NULL));
    OK(cambium_close(engine));
    CHECK(cambium_engine_summary(engine, NULL) == CAMBIUM_CLOSED);
    return 0;
}
