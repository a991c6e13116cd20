// Remotes: the part of cambium.h that moves commits between stores. Include cambium.h.

#ifndef CAMBIUM_REMOTES_H
#define CAMBIUM_REMOTES_H

#include "cambium.h"

// MARK: Remotes; JSON as of `remote`, `clone`, `push`, `fetch` and `pull`

enum {
    // The bucket is a part of the host's name at an endpoint of one's own.
    CAMBIUM_VIRTUAL_HOST = 128,
    // Sign no requests.
    CAMBIUM_ANONYMOUS = 256,
    // Use a server that ignores conditions: the user promises that nobody else writes there.
    CAMBIUM_SINGLE_WRITER = 512
};

// How a remote is reached. Credentials come from AWS_ACCESS_KEY_ID and so on, or a profile's files.
typedef struct cambium_access {
    // A server that speaks S3; NULL for what the environment or the profile says, or else AWS.
    const char *endpoint;
    const char *region;
    const char *profile;
    // Certificates (PEM) that are trusted instead of the system's.
    const char *ca_file;
    // CAMBIUM_VIRTUAL_HOST, CAMBIUM_ANONYMOUS, CAMBIUM_SINGLE_WRITER.
    uint32_t flags;
} cambium_access;

enum {
    // All tags as well.
    CAMBIUM_TAGS = 1024,
    // Move a branch even where commits of others are lost by it.
    CAMBIUM_FORCE = 2048,
    // Remove the branches from the remote.
    CAMBIUM_DELETE = 4096,
    // Leave tensors and experts on the remote until they are read.
    CAMBIUM_LAZY = 8192
};

// What moves. All zeros is the branch that HEAD is on for a push and a pull, all branches for a fetch and a clone.
typedef struct cambium_transfer {
    const char *const *branches;
    uint64_t branch_count;
    // Commits of each branch at most; 0 for all. Below 0, of a fetch: also what was left out before.
    int64_t depth;
    // Requests at a time; 0 for 4.
    uint32_t jobs;
    // Of a push: CAMBIUM_TAGS, CAMBIUM_FORCE, CAMBIUM_DELETE, CAMBIUM_DRY_RUN. Of a clone: CAMBIUM_LAZY.
    uint32_t flags;
    // Bytes a second; 0 for as fast as it goes.
    uint64_t rate;
    // Of a pull: how conflicts are settled, as of a merge.
    const char *policy;
} cambium_transfer;

// `access` may be NULL. The remote is probed: CAMBIUM_REMOTE for one that ignores conditions.
cambium_code cambium_remote_add(
    cambium_store *store, const char *name, const char *url, const cambium_access *access,
    char **json);
cambium_code cambium_remote_remove(cambium_store *store, const char *name);
cambium_code cambium_remotes(cambium_store *store, char **json);
// Makes a store of a remote, which it knows as "origin". `access` and `transfer` may be NULL; one branch at most.
cambium_code cambium_clone(
    const char *url, const char *path, const cambium_access *access,
    const cambium_transfer *transfer, cambium_progress progress, void *context, char **json);
// `remote` NULL is "origin", or the only one; `transfer` may be NULL.
cambium_code cambium_push(
    cambium_store *store, const char *remote, const cambium_transfer *transfer,
    cambium_progress progress, void *context, char **json);
cambium_code cambium_fetch(
    cambium_store *store, const char *remote, const cambium_transfer *transfer,
    cambium_progress progress, void *context, char **json);
// Conflicts are a result, as of a merge. One branch at most.
cambium_code cambium_pull(
    cambium_store *store, const char *remote, const cambium_transfer *transfer,
    cambium_progress progress, void *context, char **json);

#endif
