#include "cambium_process.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_key_t message_key;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static uint32_t generation;

static void before_fork(void) { pthread_mutex_lock(&mutex); }

static void after_fork_in_parent(void) { pthread_mutex_unlock(&mutex); }

static void after_fork_in_child(void) {
    pthread_mutex_init(&mutex, NULL);
    generation++;
}

// Handlers stay for the library's life, so it must not be unloaded; hosts that load it never do.
__attribute__((constructor)) static void begin(void) {
    pthread_key_create(&message_key, free);
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

void cambium_process_set_message(const char *text) {
    char *copy = strdup(text);
    free(pthread_getspecific(message_key));
    pthread_setspecific(message_key, copy);
}

const char *cambium_process_message(void) {
    const char *text = pthread_getspecific(message_key);
    return text ? text : "";
}

void cambium_process_lock(void) { pthread_mutex_lock(&mutex); }

void cambium_process_unlock(void) { pthread_mutex_unlock(&mutex); }

uint32_t cambium_process_generation(void) { return generation; }
