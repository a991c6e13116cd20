// System calls that fail when a test asks for it. The functions here stand in front of the C library's of the same
// name, for the program they are linked into (LMDB's calls too) or, as a library of its own (LD_PRELOAD), for any:
// then FAULT_ROOT, FAULT_MODE (a name below), FAULT_AT and FAULT_ERRNO arm one fault from the start, and FAULT_LOG
// gets a byte for each call counted or, recording, one record of each change that a disk would have seen.
// FAULT_BREAK makes the library lie, as a program that is wrong would: see `broken` below.
// Longer than 400 lines because every call has to be in front of the C library's, behind one gate.
#define _GNU_SOURCE
#include "include/cambium_faults.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST_FAULTS 64

// The C library's syscall(2): the one of that name below stands in front of it.
static long kernel(long number, ...) {
    static long (*real)(long, ...);
    if (!real) real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    va_list rest;
    va_start(rest, number);
    long a[6];
    for (int i = 0; i < 6; i++) a[i] = va_arg(rest, long);
    va_end(rest);
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

struct fault {
    char root[512];
    int mode, number;
    long at, count;
};

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static struct fault faults[MOST_FAULTS];
static atomic_int armed;
static int log_file = -1;

// What the library does wrong on purpose, so that tools/campaign --self-test can show that it is found out.
static enum {
    RIGHT,
    UNSYNCED,    // a sync does nothing
    SWALLOWING,  // a call that should fail is left out, and is said to have worked
    TRAPPING,    // a call that should fail ends the process
    LATE,        // LMDB's pages are written after the page that names them
    UNLOCKED,    // a lock is said to be held, and is not
} broken;

int cambium_fault_arm(const char *root, int mode, long at, int number) {
    int found = -1;
    if (strlen(root) >= sizeof faults[0].root) return -1;
    pthread_mutex_lock(&gate);
    for (int i = 0; i < MOST_FAULTS && found < 0; i++)
        if (!faults[i].mode) found = i;
    if (found >= 0) {
        faults[found] = (struct fault){.mode = mode, .number = number, .at = at};
        strcpy(faults[found].root, root);
        armed++;
    }
    pthread_mutex_unlock(&gate);
    return found;
}

long cambium_fault_disarm(int fault) {
    pthread_mutex_lock(&gate);
    long count = faults[fault].count;
    faults[fault].mode = 0;
    armed--;
    pthread_mutex_unlock(&gate);
    return count;
}

__attribute__((constructor)) static void arm_from_environment(void) {
    static const char *const names[] = {"", "count", "kill", "fail", "readfail", "record"};
    const char *root = getenv("FAULT_ROOT"), *name = getenv("FAULT_MODE");
    const char *log = getenv("FAULT_LOG"), *at = getenv("FAULT_AT"), *number = getenv("FAULT_ERRNO");
    static const char *const kinds[] = {"", "unsynced", "swallowing", "trapping", "late", "unlocked"};
    const char *wrong = getenv("FAULT_BREAK");
    for (int kind = UNSYNCED; wrong && kind <= UNLOCKED; kind++)
        if (!strcmp(wrong, kinds[kind])) broken = kind;
    if (!root || !name) return;
    for (int mode = CAMBIUM_FAULT_COUNT; mode <= CAMBIUM_FAULT_RECORD; mode++)
        if (!strcmp(name, names[mode]))
            cambium_fault_arm(root, mode, at ? atol(at) : 0, number ? atoi(number) : EIO);
    if (!log) return;
    int file = (int)kernel(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    // Far above the descriptors that the program itself uses.
    log_file = fcntl(file, F_DUPFD_CLOEXEC, 900);
    kernel(SYS_close, file);
}

// The fault that is armed for a path, or NULL.
static struct fault *fault_of(const char *path) {
    for (int i = 0; path && i < MOST_FAULTS; i++)
        if (faults[i].mode && !strncmp(path, faults[i].root, strlen(faults[i].root))) return &faults[i];
    return NULL;
}

// The absolute path of a file that is open, or NULL.
static const char *path_of(int file, char *buffer) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, buffer, PATH_MAX - 1);
    if (length < 0) return NULL;
    buffer[length] = 0;
    return buffer;
}

// The absolute path of a name in a folder that is open, without looking at links.
static const char *absolute(int folder, const char *path, char *buffer) {
    char base[PATH_MAX];
    if (!path || path[0] == '/') return path;
    if (!(folder == AT_FDCWD ? getcwd(base, sizeof base) : path_of(folder, base))) return path;
    snprintf(buffer, PATH_MAX, "%.2000s/%.2000s", base, path);
    return buffer;
}

struct record {
    uint8_t what, flags;
    uint16_t path, other, unused;
    uint64_t offset, length;
} __attribute__((packed));

static void note(struct fault *fault, char what, int flags, const char *path, const char *other,
                 uint64_t offset, const void *data, uint64_t length) {
    if (log_file < 0 || !fault || fault->mode != CAMBIUM_FAULT_RECORD) return;
    struct record head = {(uint8_t)what, (uint8_t)flags, (uint16_t)strlen(path),
                          (uint16_t)(other ? strlen(other) : 0), 0, offset, length};
    struct iovec parts[4] = {{&head, sizeof head}, {(void *)path, head.path},
                             {(void *)other, head.other}, {(void *)data, data ? length : 0}};
    kernel(SYS_writev, log_file, parts, 4);
}

// Counts a call; whether it is to fail. Called with the gate held.
static int hit(struct fault *fault, int reads) {
    if (!fault || fault->mode == CAMBIUM_FAULT_RECORD) return 0;
    if ((fault->mode == CAMBIUM_FAULT_FAIL_READ) != reads) return 0;
    if (++fault->count != fault->at) {
        if (!fault->at && log_file >= 0) kernel(SYS_write, log_file, ".", (size_t)1);
        return 0;
    }
    if (fault->mode == CAMBIUM_FAULT_KILL) raise(SIGKILL);
    if (broken == TRAPPING) abort();
    return fault->mode == CAMBIUM_FAULT_FAIL || fault->mode == CAMBIUM_FAULT_FAIL_READ;
}

#define ENTER(path_expression) \
    char buffer_[PATH_MAX]; \
    (void)buffer_; \
    pthread_mutex_lock(&gate); \
    const char *path_ = path_expression; \
    struct fault *fault_ = fault_of(path_)
#define LEAVE(value) \
    do { \
        __typeof__(value) result_ = (value); \
        int error_ = errno; \
        pthread_mutex_unlock(&gate); \
        errno = error_; \
        return result_; \
    } while (0)
// The result of a call that fails; `done` would be that of one that works.
#define FAILED(done) (broken == SWALLOWING ? (done) : (errno = fault_->number ? fault_->number : EIO, -1))

static int open_file(int folder, const char *path, int flags, unsigned permission) {
    if (broken == UNSYNCED) flags &= ~(O_SYNC | O_DSYNC);
    if (!armed) return (int)kernel(SYS_openat, folder, path, flags, permission);
    ENTER(absolute(folder, path, buffer_));
    struct stat status;
    if (fault_ && hit(fault_, !(flags & (O_CREAT | O_TRUNC)))) LEAVE(FAILED(-1));
    if (!fault_) {
        // The opening of a FIFO waits.
        pthread_mutex_unlock(&gate);
        return (int)kernel(SYS_openat, folder, path, flags, permission);
    }
    int is_new = (flags & O_CREAT) && stat(path_, &status) != 0;
    int file = (int)kernel(SYS_openat, folder, path, flags, permission);
    if (file >= 0 && (is_new || (flags & O_TRUNC))) note(fault_, is_new ? 'c' : 't', 0, path_, NULL, 0, NULL, 0);
    LEAVE(file);
}

#define OPEN(name, first, folder) \
    int name(first const char *path, int flags, ...) { \
        va_list rest; \
        va_start(rest, flags); \
        unsigned permission = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, unsigned) : 0; \
        va_end(rest); \
        return open_file(folder, path, flags, permission); \
    }
#define NOTHING
#define FOLDER int at_folder,
OPEN(open, NOTHING, AT_FDCWD)
OPEN(open64, NOTHING, AT_FDCWD)
OPEN(openat, FOLDER, at_folder)
OPEN(openat64, FOLDER, at_folder)

static ssize_t put(int file, const struct iovec *parts, int number_of_parts, off_t offset, int has_offset) {
    return has_offset ? kernel(SYS_pwritev, file, parts, number_of_parts, offset, 0)
                      : kernel(SYS_writev, file, parts, number_of_parts);
}

static int ends_with(const char *text, const char *end) {
    size_t length = strlen(text), last = strlen(end);
    return length >= last && !strcmp(text + length - last, end);
}

static size_t length_of(const struct iovec *parts, int number_of_parts) {
    size_t length = 0;
    for (int i = 0; i < number_of_parts; i++) length += parts[i].iov_len;
    return length;
}

// Writes that wait for the next one that syncs itself, which is that of LMDB's page of roots (LATE).
static struct waiting {
    struct waiting *next;
    int file;
    off_t offset;
    size_t length;
    uint8_t bytes[];
} *waiting;

static ssize_t keep_waiting(int file, const struct iovec *parts, int number_of_parts, off_t offset, int has_offset) {
    size_t length = length_of(parts, number_of_parts), done = 0;
    struct waiting *one = malloc(sizeof *one + length);
    if (!one) abort();
    *one = (struct waiting){waiting, fcntl(file, F_DUPFD_CLOEXEC, 900), offset, length};
    for (int i = 0; i < number_of_parts; done += parts[i++].iov_len)
        memcpy(one->bytes + done, parts[i].iov_base, parts[i].iov_len);
    waiting = one;
    if (!has_offset) lseek(file, (off_t)length, SEEK_CUR);
    return (ssize_t)length;
}

static void write_waiting(struct fault *fault) {
    while (waiting) {
        struct waiting *one = waiting;
        hit(fault, 0);
        kernel(SYS_pwrite64, one->file, one->bytes, one->length, one->offset);
        kernel(SYS_close, one->file);
        waiting = one->next;
        free(one);
    }
}

static ssize_t write_parts(int file, const struct iovec *parts, int number_of_parts, off_t offset, int has_offset) {
    if (!armed) return put(file, parts, number_of_parts, offset, has_offset);
    ENTER(path_of(file, buffer_));
    struct iovec half;
    if (!fault_) {
        // A write to a pipe may wait.
        pthread_mutex_unlock(&gate);
        return put(file, parts, number_of_parts, offset, has_offset);
    }
    int is_durable = (fcntl(file, F_GETFL) & (O_DSYNC | O_SYNC)) != 0;
    if (broken == LATE && !is_durable && ends_with(path_, "/data.mdb"))
        LEAVE(keep_waiting(file, parts, number_of_parts, has_offset ? offset : lseek(file, 0, SEEK_CUR), has_offset));
    if (hit(fault_, 0)) {
        if (fault_->number || broken == SWALLOWING || number_of_parts < 1 || parts[0].iov_len < 2) LEAVE(FAILED((ssize_t)length_of(parts, number_of_parts)));
        half = (struct iovec){parts[0].iov_base, parts[0].iov_len / 2};
        parts = &half;
        number_of_parts = 1;
    }
    off_t at = has_offset ? offset : lseek(file, 0, SEEK_CUR);
    ssize_t done = put(file, parts, number_of_parts, offset, has_offset);
    write_waiting(fault_);
    ssize_t left = done;
    for (int i = 0; i < number_of_parts && left > 0; i++) {
        size_t length = parts[i].iov_len < (size_t)left ? parts[i].iov_len : (size_t)left;
        note(fault_, 'w', is_durable, path_, NULL, (uint64_t)at, parts[i].iov_base, length);
        at += (off_t)length;
        left -= (ssize_t)length;
    }
    LEAVE(done);
}

ssize_t write(int file, const void *bytes, size_t length) {
    struct iovec part = {(void *)bytes, length};
    return write_parts(file, &part, 1, 0, 0);
}
ssize_t writev(int file, const struct iovec *parts, int n) { return write_parts(file, parts, n, 0, 0); }
ssize_t pwrite(int file, const void *bytes, size_t length, off_t offset) {
    struct iovec part = {(void *)bytes, length};
    return write_parts(file, &part, 1, offset, 1);
}
ssize_t pwrite64(int file, const void *bytes, size_t n, off_t offset) { return pwrite(file, bytes, n, offset); }
ssize_t pwritev(int file, const struct iovec *parts, int n, off_t o) { return write_parts(file, parts, n, o, 1); }
ssize_t pwritev64(int file, const struct iovec *parts, int n, off_t o) { return write_parts(file, parts, n, o, 1); }

static int sync_file(int file, long call) {
    if (!armed) return (int)kernel(call, file);
    ENTER(path_of(file, buffer_));
    if (hit(fault_, 0)) LEAVE(FAILED(0));
    if (broken == UNSYNCED) LEAVE(0);
    int result = (int)kernel(call, file);
    if (!result) note(fault_, 's', 0, path_, NULL, 0, NULL, 0);
    LEAVE(result);
}
int fsync(int file) { return sync_file(file, SYS_fsync); }
int fdatasync(int file) { return sync_file(file, SYS_fdatasync); }

int ftruncate(int file, off_t length) {
    if (!armed) return (int)kernel(SYS_ftruncate, file, length);
    ENTER(path_of(file, buffer_));
    if (hit(fault_, 0)) LEAVE(FAILED(0));
    int result = (int)kernel(SYS_ftruncate, file, length);
    if (!result) note(fault_, 't', 0, path_, NULL, (uint64_t)length, NULL, 0);
    LEAVE(result);
}
int ftruncate64(int file, off_t length) { return ftruncate(file, length); }

int posix_fallocate(int file, off_t offset, off_t length) {
    if (!armed) return kernel(SYS_fallocate, file, 0, offset, length) ? errno : 0;
    ENTER(path_of(file, buffer_));
    if (hit(fault_, 0)) LEAVE(fault_->number ? fault_->number : ENOSPC);
    int result = kernel(SYS_fallocate, file, 0, offset, length) ? errno : 0;
    if (!result) note(fault_, 'a', 0, path_, NULL, (uint64_t)(offset + length), NULL, 0);
    LEAVE(result);
}
int posix_fallocate64(int file, off_t offset, off_t length) { return posix_fallocate(file, offset, length); }

// Changes of names.
static int move_or_link(long call, char what, int folder, const char *from, int other, const char *to, unsigned flags) {
    char second[PATH_MAX];
    if (!armed) return (int)kernel(call, folder, from, other, to, flags);
    ENTER(absolute(folder, from, buffer_));
    const char *new = absolute(other, to, second);
    if (!fault_) fault_ = fault_of(new);
    if (hit(fault_, 0)) LEAVE(FAILED(0));
    int result = (int)kernel(call, folder, from, other, to, flags);
    if (!result) note(fault_, what, 0, path_, new, 0, NULL, 0);
    LEAVE(result);
}
int renameat2(int folder, const char *from, int other, const char *to, unsigned flags) {
    return move_or_link(SYS_renameat2, 'r', folder, from, other, to, flags);
}
int renameat(int folder, const char *from, int other, const char *to) { return renameat2(folder, from, other, to, 0); }
int rename(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }
int linkat(int folder, const char *from, int other, const char *to, int flags) {
    return move_or_link(SYS_linkat, 'l', folder, from, other, to, (unsigned)flags);
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

static int change_name(int folder, const char *path, char what, int flags, mode_t permission) {
    ENTER(absolute(folder, path, buffer_));
    if (hit(fault_, 0)) LEAVE(FAILED(0));
    int result = (int)(what == 'm' ? kernel(SYS_mkdirat, folder, path, permission)
                                   : kernel(SYS_unlinkat, folder, path, flags));
    if (!result) note(fault_, what, 0, path_, NULL, 0, NULL, 0);
    LEAVE(result);
}
int unlink(const char *path) { return change_name(AT_FDCWD, path, 'u', 0, 0); }
int unlinkat(int folder, const char *path, int flags) { return change_name(folder, path, 'u', flags, 0); }
int rmdir(const char *path) { return change_name(AT_FDCWD, path, 'u', AT_REMOVEDIR, 0); }
int mkdir(const char *path, mode_t permission) { return change_name(AT_FDCWD, path, 'm', 0, permission); }
int mkdirat(int folder, const char *path, mode_t mode) { return change_name(folder, path, 'm', 0, mode); }

// Changes that a cut of power does not model: of metadata, and what only speeds up.
#define CHANGING(name, arguments, call) \
    int name arguments { \
        if (!armed) return (int)(call); \
        ENTER(path_of(file, buffer_)); \
        if (hit(fault_, 0)) LEAVE(FAILED(0)); \
        LEAVE((int)(call)); \
    }
CHANGING(fchmod, (int file, mode_t mode), kernel(SYS_fchmod, file, mode))
CHANGING(fchown, (int file, uid_t user, gid_t group), kernel(SYS_fchown, file, user, group))
CHANGING(sync_file_range, (int file, off64_t at, off64_t n, unsigned how), kernel(SYS_sync_file_range, file, at, n, how))

// Calls that only read, or that change nothing on the disk.
#define READING(type, name, arguments, call) \
    type name arguments { \
        if (!armed) return (type)(call); \
        ENTER(path_of(file, buffer_)); \
        if (hit(fault_, 1)) LEAVE((type)FAILED(0)); \
        /* It may wait for another thread, which must not wait for this one. */ \
        pthread_mutex_unlock(&gate); \
        return (type)(call); \
    }
READING(ssize_t, read, (int file, void *bytes, size_t n), kernel(SYS_read, file, bytes, n))
READING(ssize_t, pread, (int file, void *bytes, size_t n, off_t o), kernel(SYS_pread64, file, bytes, n, o))
READING(ssize_t, pread64, (int file, void *bytes, size_t n, off_t o), kernel(SYS_pread64, file, bytes, n, o))

static int lock_file(int file, int how) { return broken == UNLOCKED ? 0 : (int)kernel(SYS_flock, file, how); }
READING(int, flock, (int file, int how), lock_file(file, how))

static int lock_bytes(int file, int command, void *lock) {
    return broken == UNLOCKED ? 0 : (int)kernel(SYS_fcntl, file, command, lock);
}
static READING(int, counted_lock, (int file, int command, void *lock), lock_bytes(file, command, lock))

static int control(int file, int command, void *argument) {
    int is_lock = command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW;
    return is_lock ? counted_lock(file, command, argument) : (int)kernel(SYS_fcntl, file, command, argument);
}
#define CONTROL(name) \
    int name(int file, int command, ...) { \
        va_list rest; \
        va_start(rest, command); \
        void *argument = va_arg(rest, void *); \
        va_end(rest); \
        return control(file, command, argument); \
    }
CONTROL(fcntl)
CONTROL(fcntl64)

void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset) {
    if (!armed || file < 0) return (void *)kernel(SYS_mmap, address, length, protection, flags, file, offset);
    ENTER(path_of(file, buffer_));
    if (hit(fault_, 1)) LEAVE(((void)FAILED(-1), MAP_FAILED));
    LEAVE((void *)kernel(SYS_mmap, address, length, protection, flags, file, offset));
}
void *mmap64(void *a, size_t n, int protection, int flags, int file, off_t o) { return mmap(a, n, protection, flags, file, o); }

#define LISTING(type, name) \
    type *name(DIR *folder) { \
        static type *(*real)(DIR *); \
        if (!real) real = (type * (*)(DIR *)) dlsym(RTLD_NEXT, #name); \
        if (!armed) return real(folder); \
        ENTER(path_of(dirfd(folder), buffer_)); \
        if (hit(fault_, 1)) LEAVE(((void)FAILED(0), (type *)NULL)); \
        LEAVE(real(folder)); \
    }
LISTING(struct dirent, readdir)
LISTING(struct dirent64, readdir64)

// The calls that the program makes by number.
long syscall(long number, ...) {
    long a[6];
    va_list rest;
    va_start(rest, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(rest, long);
    va_end(rest);
    if (armed && number == SYS_renameat2)
        return renameat2((int)a[0], (const char *)a[1], (int)a[2], (const char *)a[3], (unsigned)a[4]);
    if (armed && number == SYS_sync_file_range) return sync_file_range((int)a[0], a[1], a[2], (unsigned)a[3]);
    if ((armed || broken) && number == SYS_fcntl) return control((int)a[0], (int)a[1], (void *)a[2]);
    return kernel(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
