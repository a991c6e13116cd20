// Longer than 400 lines because users of C include one header.
// The C interface of Cambium, an expert store: a versioned database for mixture-of-experts models.
//
// Rules that hold for every function:
//   - It returns a cambium_code; CAMBIUM_OK is 0. Then cambium_message() tells this thread in words what went wrong, with
//     the value, and what to do. Results come through pointers, which are written only on success; a pointer for a
//     result may be NULL where nobody wants it.
//   - Nothing that is passed ends the process, but for memory that is not what is said of it: NULL, handles that were
//     closed, of another kind or of another process are answered with a code.
//   - Texts are UTF-8 and end with a 0 byte. Results in JSON have the keys of the command line's `--json`.
//     What comes back as `char **` belongs to the caller, who gives it to cambium_free().
//   - Handles are counted: a function that makes one gives one count, cambium_retain() adds one, cambium_release() takes
//     one, cambium_close() takes all. A handle is a number, not an address; it is never used again.
//   - Any thread may call anything at any time, with the same handles, unless a function says otherwise. Callbacks run on
//     the thread that called, and may call everything.
//   - Memory that is passed in is read until the function returns, and not kept; it must not change meanwhile.
//   - After fork() a child opens stores of its own: inherited handles are answered with CAMBIUM_FORKED, and releasing them
//     does nothing.
//
// docs/c.md has an example.

#ifndef CAMBIUM_H
#define CAMBIUM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// MARK: Codes

// The kinds of failure: a closed list. cambium_code_name() gives the word that `--json` has, such as "not-found".
typedef enum cambium_code {
    CAMBIUM_OK = 0,
    // What was asked for.
    CAMBIUM_NOT_FOUND = 1,
    CAMBIUM_NOT_A_STORE = 2,
    CAMBIUM_AMBIGUOUS = 3,
    CAMBIUM_EXISTS = 4,
    CAMBIUM_USAGE = 5,
    CAMBIUM_BAD_NAME = 6,
    CAMBIUM_BAD_REVISION = 7,
    CAMBIUM_BAD_INPUT = 8,
    CAMBIUM_BAD_SHAPE = 9,
    CAMBIUM_TOO_LARGE = 10,
    // Histories.
    CAMBIUM_BRANCH_MOVED = 11,
    CAMBIUM_CONFLICT = 12,
    CAMBIUM_UNRELATED = 13,
    CAMBIUM_INCOMPATIBLE = 14,
    CAMBIUM_DEPENDED_ON = 15,
    // The store and its disk.
    CAMBIUM_CORRUPT = 16,
    CAMBIUM_DISK_FULL = 17,
    CAMBIUM_READ_ONLY = 18,
    CAMBIUM_BUSY = 19,
    CAMBIUM_HARD_LINKED = 20,
    CAMBIUM_LIMIT = 21,
    CAMBIUM_IO = 22,
    CAMBIUM_FORMAT_TOO_OLD = 23,
    CAMBIUM_FORMAT_TOO_NEW = 24,
    CAMBIUM_CHANGED = 25,
    // Checkpoints and their files.
    CAMBIUM_NOT_A_CHECKPOINT = 26,
    CAMBIUM_TRUNCATED = 27,
    CAMBIUM_BAD_HEADER = 28,
    CAMBIUM_UNKNOWN_TYPE = 29,
    CAMBIUM_DUPLICATE_NAME = 30,
    CAMBIUM_OVERLAP = 31,
    CAMBIUM_HOLE = 32,
    CAMBIUM_BAD_INDEX = 33,
    CAMBIUM_MISSING_SHARD = 34,
    CAMBIUM_UNLISTED_TENSOR = 35,
    CAMBIUM_BAD_CONFIG = 36,
    CAMBIUM_BAD_TOKENIZER = 37,
    // Models, training and evidence.
    CAMBIUM_UNSUPPORTED = 38,
    CAMBIUM_UNFIT = 39,
    CAMBIUM_MISSING_TENSOR = 40,
    CAMBIUM_BAD_TENSOR = 41,
    CAMBIUM_UNUSED_TENSOR = 42,
    CAMBIUM_CONTEXT_FULL = 43,
    CAMBIUM_NOT_FINITE = 44,
    CAMBIUM_TOO_HARD = 45,
    CAMBIUM_DIVERGED = 46,
    // A callback asked to end; nothing was committed.
    CAMBIUM_CANCELLED = 47,
    CAMBIUM_OVERFLOW = 48,
    CAMBIUM_UNSOLVABLE = 49,
    // Remotes.
    CAMBIUM_NETWORK = 50,
    CAMBIUM_DENIED = 51,
    CAMBIUM_REMOTE = 52,
    // Of this interface alone.
    // A handle that was closed, or never was one.
    CAMBIUM_CLOSED = 100,
    // A handle of the process that this one was forked from.
    CAMBIUM_FORKED = 101,
    // A failure of another library; the message is its own.
    CAMBIUM_INTERNAL = 102
} cambium_code;

// The word of a code; "unknown" for a number that is none. Lives as long as the library.
const char *cambium_code_name(cambium_code code);

// What went wrong in the last call of this thread that failed; "" before the first. Valid until the next one fails.
const char *cambium_message(void);

// The library's version, as `cambium --version` prints it.
const char *cambium_version(void);

// MARK: Memory and handles

// An open store.
typedef struct cambium_store cambium_store;
// One commit's model, mapped for reading. Keeps its store open and the commit from being collected.
typedef struct cambium_snapshot cambium_snapshot;
// Bytes that the library owns.
typedef struct cambium_buffer cambium_buffer;
// What turns one commit's weights into another's.
typedef struct cambium_changes cambium_changes;
// A model that runs on a store's records.
typedef struct cambium_engine cambium_engine;

// Gives back a text that came as `char **`. NULL is nothing.
void cambium_free(void *memory);

// Counts one more, or one fewer, user of a handle of any kind; the last release closes it. NULL is nothing.
cambium_code cambium_retain(const void *handle);
cambium_code cambium_release(const void *handle);

// Closes a handle for all its users: what is called with it from now on gives CAMBIUM_CLOSED. What others keep through it
// stays: a snapshot outlives the store's handle, views outlive neither their snapshot nor their buffer.
cambium_code cambium_close(const void *handle);

// MARK: Callbacks

// Told now and then how far long work has come. Another result than 0 ends it with CAMBIUM_CANCELLED.
typedef int (*cambium_progress)(void *context, const char *phase, int64_t done, int64_t total);

// MARK: What is passed in

// A text by its key.
typedef struct cambium_pair {
    const char *key;
    const char *value;
} cambium_pair;

// A number by its name.
typedef struct cambium_metric {
    const char *name;
    double value;
} cambium_metric;

// A small file in memory.
typedef struct cambium_file {
    const char *name;
    const void *data;
    uint64_t count;
} cambium_file;

// A tensor in memory: row-major, little-endian.
typedef struct cambium_tensor {
    const char *name;
    // As safetensors spells it: "BF16", "F8_E4M3", …
    const char *dtype;
    const int64_t *shape;
    uint64_t rank;
    const void *data;
    // Bytes.
    uint64_t count;
} cambium_tensor;

// A whole expert that takes the place of another, or comes behind the last: its parts one after the other.
typedef struct cambium_expert_edit {
    int64_t layer;
    // NULL for "base".
    const char *pool;
    int64_t ordinal;
    // NULL removes the expert; its number stays empty.
    const void *data;
    uint64_t count;
} cambium_expert_edit;

enum {
    // Commit even when the model is the parent's.
    CAMBIUM_ALLOW_UNCHANGED = 1,
    // Commit a model that would not run as the branch's history does.
    CAMBIUM_ALLOW_UNFIT = 2,
    // Keep no file of the branch's head.
    CAMBIUM_ALONE = 4
};

// How something is committed. All zeros but the message is a commit on HEAD's branch, now, by the user.
typedef struct cambium_commit_options {
    const char *message;
    // NULL for the branch that HEAD is on. A missing one is made, from HEAD.
    const char *branch;
    // The commit that the branch must be at, or CAMBIUM_BRANCH_MOVED; NULL for whichever.
    const char *parent;
    // NULL for the user as the environment has it.
    const char *author;
    // Seconds since 1970-01-01 00:00 UTC; 0 for now.
    int64_t time;
    const cambium_pair *metadata;
    uint64_t metadata_count;
    const cambium_metric *metrics;
    uint64_t metric_count;
    uint32_t flags;
} cambium_commit_options;

// MARK: Stores

enum {
    // Never writes and waits for no writer.
    CAMBIUM_OPEN_READ_ONLY = 1
};

// Makes a new, empty store in a directory. `branch` is the one that HEAD is on, NULL for "main".
cambium_code cambium_create(const char *path, const char *branch);
cambium_code cambium_open(const char *path, uint32_t flags, cambium_store **store);
// Brings a store of an older format to the current one. JSON as of `migrate`.
cambium_code cambium_migrate(const char *path, char **json);

// The commit that a revision names: 64 hexadecimal digits and a 0 byte.
cambium_code cambium_resolve(cambium_store *store, const char *revision, char id[65]);

// MARK: Reading

cambium_code cambium_snapshot_open(
    cambium_store *store, const char *revision, cambium_snapshot **snapshot);
cambium_code cambium_snapshot_id(cambium_snapshot *snapshot, char id[65]);
// The id of the model alone: equal for equal models.
cambium_code cambium_snapshot_tree(cambium_snapshot *snapshot, char id[65]);
// The commit: message, time, author, parents, metadata, metrics, references, notes.
cambium_code cambium_snapshot_commit(cambium_snapshot *snapshot, char **json);
// What the model consists of, as `ls`.
cambium_code cambium_snapshot_summary(cambium_snapshot *snapshot, char **json);
// Every tensor of the checkpoint: [{"name", "dtype", "shape"}].
cambium_code cambium_snapshot_tensors(cambium_snapshot *snapshot, char **json);
// The names of the files: ["config.json"].
cambium_code cambium_snapshot_files(cambium_snapshot *snapshot, char **json);
// The pools of experts: [{"layer", "pool", "kind", "experts", "expertBytes", "routers", "parts": [{"tensor", "stacked",
// "dtype", "shape", "offset", "bytes"}]}]; a part says which tensor of the checkpoint holds which bytes of an expert.
cambium_code cambium_snapshot_pools(cambium_snapshot *snapshot, char **json);

enum {
    // The greatest rank that a view tells.
    CAMBIUM_MAX_RANK = 16
};

enum {
    // The bytes lie in the store's map, read-only: they stay as long as the snapshot's handle, and `owner` is NULL. Without
    // it they lie in memory that `owner` has, and stay until that is released.
    CAMBIUM_VIEW_MAPPED = 1
};

enum {
    // Hash what is read against its name (CAMBIUM_CORRUPT): reads all of the object, of an expert all of its parts.
    CAMBIUM_READ_CHECKED = 1
};

// Bytes of a tensor, an expert or a file. Writing into mapped ones ends the process.
typedef struct cambium_view {
    const void *data;
    uint64_t count;
    uint32_t flags;
    uint32_t rank;
    int64_t shape[CAMBIUM_MAX_RANK];
    char dtype[16];
    cambium_buffer *owner;
} cambium_view;

// A tensor by its name in the checkpoint. Mapped where it is stored as it is; in memory of its own where a tensor
// stacks experts, or is kept compressed or as a difference.
cambium_code cambium_snapshot_tensor(
    cambium_snapshot *snapshot, const char *name, uint32_t flags, cambium_view *view);
// `count` rows from `first` on: of what the first dimension counts. No others are read.
cambium_code cambium_snapshot_rows(
    cambium_snapshot *snapshot, const char *name, int64_t first, int64_t count, uint32_t flags,
    cambium_view *view);
// The same, copied to the caller's memory with read(2) where they lie in the file, so that nothing of the map is touched:
// for what goes to another device. `size` must be what the rows take. `count` < 0 reads all.
cambium_code cambium_snapshot_read(
    cambium_snapshot *snapshot, const char *name, int64_t first, int64_t count, void *memory,
    uint64_t size);
// A file such as config.json; always in memory of its own.
cambium_code cambium_snapshot_file(cambium_snapshot *snapshot, const char *name, cambium_view *view);

// The ids of `count` experts of a pool from `first` on, 32 bytes each; zeros where there is none any more. `pool` NULL is
// "base".
cambium_code cambium_snapshot_expert_ids(
    cambium_snapshot *snapshot, int64_t layer, const char *pool, int64_t first, int64_t count,
    uint8_t *ids);
// An expert: its parts one after the other. `id` may be NULL.
cambium_code cambium_snapshot_expert(
    cambium_snapshot *snapshot, int64_t layer, const char *pool, int64_t ordinal, uint32_t flags,
    char id[65], cambium_view *view);
// The branches and tags that have the same expert at the same place: [{"kind", "name"}].
cambium_code cambium_snapshot_shared_by(
    cambium_snapshot *snapshot, int64_t layer, const char *pool, int64_t ordinal, char **json);

// MARK: Committing; JSON as of `commit`

// A safetensors file or a folder.
cambium_code cambium_commit_folder(
    cambium_store *store, const char *path, const cambium_commit_options *options,
    cambium_progress progress, void *context, char **json);
// A whole model in memory: the same ids as of a folder with all tensors in one `model.safetensors`, whose header has
// `header` as metadata (transformers writes "format": "pt"; `header` NULL for a header without).
cambium_code cambium_commit_tensors(
    cambium_store *store, const cambium_tensor *tensors, uint64_t tensor_count,
    const cambium_file *files, uint64_t file_count, const cambium_pair *header,
    uint64_t header_count, const cambium_commit_options *options, cambium_progress progress,
    void *context, char **json);
// What a safetensors file changes of the branch's model (docs/format.md, "Patch files").
cambium_code cambium_patch_file(
    cambium_store *store, const char *path, const cambium_commit_options *options,
    cambium_progress progress, void *context, char **json);
// The same in memory: `T` whole; `T` [k, …] with an integer `T.rows` [k]; `T.index` [k] with `T.value` [k]. And whole experts.
cambium_code cambium_patch_tensors(
    cambium_store *store, const cambium_tensor *tensors, uint64_t tensor_count,
    const cambium_expert_edit *experts, uint64_t expert_count,
    const cambium_commit_options *options, cambium_progress progress, void *context, char **json);

enum {
    // Commit the model that the adapter makes of its base, not the adapter itself.
    CAMBIUM_BAKE = 64
};

// An adapter of peft: a folder with adapter_config.json and adapter_model.safetensors. A branch that is missing begins at
// `base`, which the commit's metadata name, "adapter.base". Baked (LoRA on the weights of modules), its products are added to
// the weights of the branch's model; else its own tensors and config are committed, and an export gives the folder back.
cambium_code cambium_commit_adapter(
    cambium_store *store, const char *folder, const char *base, uint32_t flags,
    const cambium_commit_options *options, cambium_progress progress, void *context, char **json);

// MARK: Branches, tags and history

// [{"name", "id", "subject", "isHead", "time", "author"}]
cambium_code cambium_branches(cambium_store *store, char **json);
cambium_code cambium_tags(cambium_store *store, char **json);
// The branch that HEAD is on; NULL in *name when it is detached.
cambium_code cambium_current_branch(cambium_store *store, char **name);
// `revision` NULL for HEAD.
cambium_code cambium_create_branch(cambium_store *store, const char *name, const char *revision);
cambium_code cambium_delete_branch(cambium_store *store, const char *name);
// `name` NULL for the branch that HEAD is on.
cambium_code cambium_rename_branch(cambium_store *store, const char *name, const char *new_name);
cambium_code cambium_create_tag(cambium_store *store, const char *name, const char *revision);
cambium_code cambium_delete_tag(cambium_store *store, const char *name);
// Points HEAD at a branch, or at any commit.
cambium_code cambium_switch(cambium_store *store, const char *revision);
// Moves a branch, NULL for the one that HEAD is on: {"old", "new"}.
cambium_code cambium_reset(
    cambium_store *store, const char *revision, const char *branch, char **json);

typedef struct cambium_log_query {
    // `A..B` is what leads to B and not to A; none means HEAD.
    const char *const *revisions;
    uint64_t revision_count;
    // Whether to start from every branch and tag.
    int32_t all;
    // At most so many; 0 for all.
    int64_t limit;
    // Seconds since 1970; 0 for no bound.
    int64_t since;
    int64_t until;
    // NULL for any.
    const char *author;
    const char *message;
    // Only commits that changed this: `LAYER/ORDINAL`, a tensor's or a file's name, `TENSOR:ROW`.
    const char *path;
    // Sorted by this metric, the least first.
    const char *metric;
    int32_t descending;
} cambium_log_query;

// Commits, newest first: an array of what cambium_show() gives. `query` NULL is HEAD's history.
cambium_code cambium_history(cambium_store *store, const cambium_log_query *query, char **json);
cambium_code cambium_show(cambium_store *store, const char *revision, char **json);
// The moves of "HEAD" (NULL), "heads/NAME" or "tags/NAME", newest first.
cambium_code cambium_reflog(cambium_store *store, const char *reference, char **json);
// `norms`: whether to read what changed and measure how far it moved.
cambium_code cambium_diff(
    cambium_store *store, const char *from, const char *to, int32_t norms, char **json);

// MARK: Merging; JSON as of `merge`

enum {
    CAMBIUM_DRY_RUN = 8
};

typedef struct cambium_merge_options {
    // NULL for the branch that HEAD is on.
    const char *into;
    // "none" (NULL), "ours", "theirs", "mean", "ties", "task", "fisher", "regmean", "solve" (from the
    // excerpts that sides and base keep as evidence), "alternatives".
    const char *policy;
    // Decisions about single conflicts, `1/7=law`, before the policy.
    const char *const *takes;
    uint64_t take_count;
    // Of sides, for mean, fisher and regmean.
    const cambium_metric *weights;
    uint64_t weight_count;
    // Of ties; 0 for 0.2.
    double density;
    // Of ties and task; 0 for 1.
    double scale;
    const char *message;
    const char *author;
    int64_t time;
    // CAMBIUM_DRY_RUN, CAMBIUM_ALLOW_UNFIT.
    uint32_t flags;
} cambium_merge_options;

// "kind" is "merged", "fast-forward", "up-to-date" or "conflicts": conflicts are a result, not a failure.
cambium_code cambium_merge(
    cambium_store *store, const char *const *revisions, uint64_t revision_count,
    const cambium_merge_options *options, char **json);
// Undoes one commit; `options` may be NULL; of them into, policy (none, ours, theirs), message, author, time
// and of the flags CAMBIUM_ALLOW_UNFIT count.
cambium_code cambium_revert(
    cambium_store *store, const char *revision, const cambium_merge_options *options, char **json);

#include "cambium_quantize.h"
#include "cambium_remotes.h"
#include "cambium_report.h"

// MARK: Care

// What nothing needs; removed when `prune` is not 0. `grace` < 0 for 14 days.
cambium_code cambium_collect(cambium_store *store, int32_t prune, int64_t grace, char **json);
// Faults are a result, not a failure. `fast`: structure and references only.
cambium_code cambium_verify(
    cambium_store *store, int32_t fast, cambium_progress progress, void *context, char **json);
// As "statistics" of `status`: what the store is at a glance.
cambium_code cambium_overview(cambium_store *store, char **json);
// As `stats`.
cambium_code cambium_statistics(cambium_store *store, char **json);
// Gives free pages back to the disk; nobody may have the store open, this process neither.
cambium_code cambium_repack(
    const char *path, int32_t compress, cambium_progress progress, void *context, char **json);

enum {
    CAMBIUM_OVERWRITE = 16,
    // Leave out what the transformers library would not read.
    CAMBIUM_PLAIN = 32
};

cambium_code cambium_export(
    cambium_store *store, const char *revision, const char *directory, uint32_t flags,
    cambium_progress progress, void *context, char **json);

// MARK: Changes between two commits

cambium_code cambium_changes_open(
    cambium_store *store, const char *from, const char *to, cambium_changes **changes);
// {"from", "to", "added", "removed", "reshaped", "addedExperts", "removedExperts", "besides"}
cambium_code cambium_changes_summary(cambium_changes *changes, char **json);

enum { CAMBIUM_CHANGE_ELEMENTS = 0, CAMBIUM_CHANGE_WHOLE = 1, CAMBIUM_CHANGE_REMOVED = 2 };

// What changes of one tensor, or of a run of it. Everything in it lives until the callback returns.
typedef struct cambium_change {
    const char *name;
    const char *dtype;
    const int64_t *shape;
    uint64_t rank;
    // CAMBIUM_CHANGE_…
    int32_t kind;
    // Of elements: counted row-major, ascending.
    const int64_t *indices;
    uint64_t index_count;
    // Their new values, or of the whole tensor all.
    const void *values;
    uint64_t value_bytes;
} cambium_change;

// Another result than 0 ends with CAMBIUM_CANCELLED.
typedef int (*cambium_change_receiver)(void *context, const cambium_change *change);

// Every change, tensor by tensor; a long tensor comes in runs. With names, of these tensors alone.
cambium_code cambium_changes_each(
    cambium_changes *changes, const char *const *names, uint64_t name_count,
    cambium_change_receiver receiver, void *context);
// A patch file. Flags: CAMBIUM_OVERWRITE.
cambium_code cambium_changes_write(
    cambium_changes *changes, const char *path, uint32_t flags, cambium_progress progress,
    void *context, char **json);

// MARK: Running models

enum {
    // Do not ask for the experts that the usage profile names.
    CAMBIUM_ENGINE_COLD = 1
};

// `memory_limit` in bytes, 0 for none.
cambium_code cambium_engine_open(
    cambium_store *store, const char *revision, uint64_t memory_limit, uint32_t flags,
    cambium_engine **engine);
// {"id", "takesBytes", "vocabularySize", "contextLength", "slides", "endTokens", "expertLayers", "adapters", "unused",
// "hasTokenizer"}
cambium_code cambium_engine_summary(cambium_engine *engine, char **json);
// What its runs did so far.
cambium_code cambium_engine_statistics(cambium_engine *engine, char **json);

typedef struct cambium_sampling {
    // New tokens to make; bytes where the model takes bytes.
    int64_t count;
    // 0 takes the likeliest.
    double temperature;
    // 0 counts as 1.
    double top_p;
    uint64_t seed;
    // Texts that end it, or of tokens nothing.
    const cambium_file *stops;
    uint64_t stop_count;
    // Tokens that end cambium_generate_tokens().
    const int64_t *stop_tokens;
    uint64_t stop_token_count;
    // Whether it goes on behind the model's end tokens.
    int32_t past_end;
    // 0 for as many as there are processors.
    int32_t threads;
} cambium_sampling;

// Told the bytes of a text as they are made, or tokens; another result than 0 ends that prompt, which is no failure.
typedef int (*cambium_text_receiver)(
    void *context, uint64_t prompt, const char *bytes, uint64_t count);
typedef int (*cambium_token_receiver)(void *context, int64_t token);

// Continues prompts (cambium_file without a name) together, each as it would go on alone. JSON: an array of what `generate`
// gives.
cambium_code cambium_generate(
    cambium_engine *engine, const cambium_file *prompts, uint64_t prompt_count,
    const cambium_sampling *sampling, cambium_text_receiver receiver, void *context, char **json);
// What a model reads for a conversation, by the chat template that was committed with it, up to where the answer begins.
// `chat` is JSON: [{"role", "content"}], or an object with "messages" and, where there are some, "tools", "documents" and
// "chat_template_kwargs".
cambium_code cambium_chat_prompt(cambium_engine *engine, const char *chat, char **text);
// Answers a conversation; special tokens that the model writes are part of the answer. JSON: what `generate --chat` gives.
cambium_code cambium_chat(
    cambium_engine *engine, const char *chat, const cambium_sampling *sampling,
    cambium_text_receiver receiver, void *context, char **json);
cambium_code cambium_generate_tokens(
    cambium_engine *engine, const int64_t *prompt, uint64_t prompt_count,
    const cambium_sampling *sampling, cambium_token_receiver receiver, void *context, char **json);
// Bits per byte of a text's first `limit` bytes (0 for all).
cambium_code cambium_evaluate(
    cambium_engine *engine, const void *text, uint64_t count, uint64_t limit, int32_t threads,
    cambium_progress progress, void *context, char **json);

// Which experts tokens picked: for each token, each layer, each head its `picks` best ones. experts and weights are
// [tokens, layers, heads, picks], row-major; where a head picked fewer, the rest is -1 and 0.
typedef struct cambium_routes {
    uint64_t tokens;
    uint64_t layers;
    uint64_t heads;
    uint64_t picks;
    const int32_t *experts;
    const float *weights;
    // [tokens]
    const int64_t *token_ids;
    // [layers]
    const int64_t *layer_numbers;
    // Has the arrays; release it.
    cambium_buffer *owner;
} cambium_routes;

// With layers, of these alone. A callback is told the tokens done; the total is not known, and 0.
cambium_code cambium_route(
    cambium_engine *engine, const void *text, uint64_t count, const int64_t *layers,
    uint64_t layer_count, cambium_progress progress, void *context, cambium_routes *routes);

// The tokens of a text, without those that a tokenizer puts around one: int64 numbers in `view`.
cambium_code cambium_tokenize(
    cambium_engine *engine, const void *text, uint64_t count, cambium_view *view);
// The text of tokens.
cambium_code cambium_detokenize(
    cambium_engine *engine, const int64_t *tokens, uint64_t count, char **text);
// The logits of every position: F32 [tokens, vocabulary] in `view`.
cambium_code cambium_logits(
    cambium_engine *engine, const int64_t *tokens, uint64_t count, int32_t threads,
    cambium_view *view);

#ifdef __cplusplus
}
#endif

#endif
