// System calls that fail when a test asks for it. The functions here stand in front of the C library's of the same
// name, for the program they are linked into (LMDB's calls too) or, as a library of its own (LD_PRELOAD), for any:
// then FAULT_ROOT, FAULT_MODE (a name below), FAULT_AT and FAULT_ERRNO arm one fault from the start, and FAULT_LOG
// gets a byte for each call counted or, recording, one record of each change that a disk would have seen.
// FAULT_BREAK makes the library lie, as a program that is wrong would: see enum fault_lie.
#include "gate.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define MOST_FAULTS 64

long fault_kernel(long number, ...) {
    static long (*real)(long, ...);
    if (!real) real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    va_list rest;
    va_start(rest, number);
    long a[6];
    for (int i = 0; i < 6; i++) a[i] = va_arg(rest, long);
    va_end(rest);
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

pthread_mutex_t fault_gate = PTHREAD_MUTEX_INITIALIZER;
atomic_int fault_armed;
enum fault_lie fault_broken;
static struct fault faults[MOST_FAULTS];
static int log_file = -1;

int cambium_fault_arm(const char *root, int mode, long at, int number) {
    int found = -1;
    if (strlen(root) >= sizeof faults[0].root) return -1;
    pthread_mutex_lock(&fault_gate);
    for (int i = 0; i < MOST_FAULTS && found < 0; i++)
        if (!faults[i].mode) found = i;
    if (found >= 0) {
        faults[found] = (struct fault){.mode = mode, .number = number, .at = at};
        strcpy(faults[found].root, root);
        fault_armed++;
    }
    pthread_mutex_unlock(&fault_gate);
    return found;
}

long cambium_fault_disarm(int fault) {
    pthread_mutex_lock(&fault_gate);
    long count = faults[fault].count;
    faults[fault].mode = 0;
    fault_armed--;
    pthread_mutex_unlock(&fault_gate);
    return count;
}

__attribute__((constructor)) static void arm_from_environment(void) {
    static const char *const names[] = {"", "count", "kill", "fail", "readfail", "record"};
    const char *root = getenv("FAULT_ROOT"), *name = getenv("FAULT_MODE");
    const char *log = getenv("FAULT_LOG"), *at = getenv("FAULT_AT"), *number = getenv("FAULT_ERRNO");
    static const char *const kinds[] = {"", "unsynced", "swallowing", "trapping", "late", "unlocked"};
    const char *wrong = getenv("FAULT_BREAK");
    for (int kind = UNSYNCED; wrong && kind <= UNLOCKED; kind++)
        if (!strcmp(wrong, kinds[kind])) fault_broken = kind;
    if (!root || !name) return;
    for (int mode = CAMBIUM_FAULT_COUNT; mode <= CAMBIUM_FAULT_RECORD; mode++)
        if (!strcmp(name, names[mode]))
            cambium_fault_arm(root, mode, at ? atol(at) : 0, number ? atoi(number) : EIO);
    if (!log) return;
    int file = (int)fault_kernel(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    // Far above the descriptors that the program itself uses.
    log_file = fcntl(file, F_DUPFD_CLOEXEC, 900);
    fault_kernel(SYS_close, file);
}

struct fault *fault_of(const char *path) {
    for (int i = 0; path && i < MOST_FAULTS; i++)
        if (faults[i].mode && !strncmp(path, faults[i].root, strlen(faults[i].root))) return &faults[i];
    return NULL;
}

const char *fault_path(int file, char *buffer) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, buffer, PATH_MAX - 1);
    if (length < 0) return NULL;
    buffer[length] = 0;
    return buffer;
}

const char *fault_absolute(int folder, const char *path, char *buffer) {
    char base[PATH_MAX];
    if (!path || path[0] == '/') return path;
    if (!(folder == AT_FDCWD ? getcwd(base, sizeof base) : fault_path(folder, base))) return path;
    snprintf(buffer, PATH_MAX, "%.2000s/%.2000s", base, path);
    return buffer;
}

struct record {
    uint8_t what, flags;
    uint16_t path, other, unused;
    uint64_t offset, length;
} __attribute__((packed));

void fault_note(struct fault *fault, char what, int flags, const char *path, const char *other,
                uint64_t offset, const void *data, uint64_t length) {
    if (log_file < 0 || !fault || fault->mode != CAMBIUM_FAULT_RECORD) return;
    struct record head = {(uint8_t)what, (uint8_t)flags, (uint16_t)strlen(path),
                          (uint16_t)(other ? strlen(other) : 0), 0, offset, length};
    struct iovec parts[4] = {{&head, sizeof head}, {(void *)path, head.path},
                             {(void *)other, head.other}, {(void *)data, data ? length : 0}};
    fault_kernel(SYS_writev, log_file, parts, 4);
}

int fault_hit(struct fault *fault, int reads) {
    if (!fault || fault->mode == CAMBIUM_FAULT_RECORD) return 0;
    if ((fault->mode == CAMBIUM_FAULT_FAIL_READ) != reads) return 0;
    if (++fault->count != fault->at) {
        if (!fault->at && log_file >= 0) fault_kernel(SYS_write, log_file, ".", (size_t)1);
        return 0;
    }
    if (fault->mode == CAMBIUM_FAULT_KILL) raise(SIGKILL);
    if (fault_broken == TRAPPING) abort();
    return fault->mode == CAMBIUM_FAULT_FAIL || fault->mode == CAMBIUM_FAULT_FAIL_READ;
}
