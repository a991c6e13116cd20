#ifndef CHECK_H
#define CHECK_H

#include "cambium.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Ends a function that checks, and says where.
#define CHECK(condition)                                                                            \
    do {                                                                                            \
        if (!(condition)) {                                                                         \
            fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #condition, cambium_message()); \
            return 1;                                                                               \
        }                                                                                           \
    } while (0)
#define OK(call) CHECK((call) == CAMBIUM_OK)

// A store at WORK/NAME that is made and opened.
static inline cambium_store *new_store(const char *work, const char *name) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", work, name);
    cambium_store *store = NULL;
    if (cambium_create(path, NULL) != CAMBIUM_OK) return NULL;
    return cambium_open(path, 0, &store) == CAMBIUM_OK ? store : NULL;
}

// The value of the first "KEY":"…" of a JSON text, which takes the text's place.
static inline const char *field(char *json, const char *key) {
    char pattern[64];
    snprintf(pattern, sizeof pattern, "\"%s\":\"", key);
    char *start = json ? strstr(json, pattern) : NULL;
    if (!start) return "";
    start += strlen(pattern);
    char *end = strchr(start, '"');
    if (end) *end = 0;
    return start;
}

static inline cambium_commit_options says(const char *message) {
    return (cambium_commit_options){.message = message, .author = "C <c@example.org>", .time = 1000};
}

#endif
