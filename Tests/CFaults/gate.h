// What the functions that stand in front of the C library's share: one gate, and what goes wrong behind it.
#pragma once
#define _GNU_SOURCE
#include "include/cambium_faults.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#pragma GCC visibility push(hidden)

struct fault {
    char root[512];
    int mode, number;
    long at, count;
};

extern pthread_mutex_t fault_gate;
extern atomic_int fault_armed;

// What the library does wrong on purpose, so that tools/campaign --self-test can show that it is found out.
extern enum fault_lie {
    RIGHT,
    UNSYNCED,    // a sync does nothing
    SWALLOWING,  // a call that should fail is left out, and is said to have worked
    TRAPPING,    // a call that should fail ends the process
    LATE,        // LMDB's pages are written after the page that names them
    UNLOCKED,    // a lock is said to be held, and is not
} fault_broken;

// The C library's syscall(2): the one of that name stands in front of it.
long fault_kernel(long number, ...);
// The fault that is armed for a path, or NULL.
struct fault *fault_of(const char *path);
// The absolute path of a file that is open, or NULL.
const char *fault_path(int file, char *buffer);
// The absolute path of a name in a folder that is open, without looking at links.
const char *fault_absolute(int folder, const char *path, char *buffer);
// Records a change, when that is asked for.
void fault_note(struct fault *fault, char what, int flags, const char *path, const char *other, uint64_t offset,
                const void *data, uint64_t length);
// Counts a call; whether it is to fail. Called with the gate held.
int fault_hit(struct fault *fault, int reads);

#pragma GCC visibility pop

#define ENTER(path_expression) \
    char buffer_[PATH_MAX]; \
    (void)buffer_; \
    pthread_mutex_lock(&fault_gate); \
    const char *path_ = path_expression; \
    struct fault *fault_ = fault_of(path_)
#define LEAVE(value) \
    do { \
        __typeof__(value) result_ = (value); \
        int error_ = errno; \
        pthread_mutex_unlock(&fault_gate); \
        errno = error_; \
        return result_; \
    } while (0)
// The result of a call that fails; `done` would be that of one that works.
#define FAILED(done) (fault_broken == SWALLOWING ? (done) : (errno = fault_->number ? fault_->number : EIO, -1))
