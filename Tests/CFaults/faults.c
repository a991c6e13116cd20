// System calls that fail when a test asks for it. The functions here stand in front of the C library's of the same
// name, for the program they are linked into (LMDB's calls too) or, as a library of its own (LD_PRELOAD), for any:
// then FAULT_ROOT, FAULT_MODE (a name below), FAULT_AT and FAULT_ERRNO arm one fault from the start, and FAULT_LOG
// gets a byte for each call counted or, recording, one record of each change that a disk would have seen.
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

struct fault {
    char root[512];
    int mode, number;
    long at, count;
};

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static struct fault faults[MOST_FAULTS];
static atomic_int armed;
static int log_file = -1;

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
    if (!root || !name) return;
    for (int mode = CAMBIUM_FAULT_COUNT; mode <= CAMBIUM_FAULT_RECORD; mode++)
        if (!strcmp(name, names[mode]))
            cambium_fault_arm(root, mode, at ? atol(at) : 0, number ? atoi(number) : EIO);
    if (!log) return;
    int file = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    // Far above the descriptors that the program itself uses.
    log_file = fcntl(file, F_DUPFD_CLOEXEC, 900);
    syscall(SYS_close, file);
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
    syscall(SYS_writev, log_file, parts, 4);
}

// Counts a call; whether it is to fail. Called with the gate held.
static int hit(struct fault *fault, int reads) {
    if (!fault || fault->mode == CAMBIUM_FAULT_RECORD) return 0;
    if ((fault->mode == CAMBIUM_FAULT_FAIL_READ) != reads) return 0;
    if (++fault->count != fault->at) {
        if (!fault->at && log_file >= 0) syscall(SYS_write, log_file, ".", (size_t)1);
        return 0;
    }
    if (fault->mode == CAMBIUM_FAULT_KILL) raise(SIGKILL);
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
#define FAILED() (errno = fault_->number ? fault_->number : EIO, -1)

static int open_file(int folder, const char *path, int flags, unsigned permission) {
    if (!armed) return (int)syscall(SYS_openat, folder, path, flags, permission);
    ENTER(absolute(folder, path, buffer_));
    struct stat status;
    if (fault_ && hit(fault_, !(flags & (O_CREAT | O_TRUNC)))) LEAVE(FAILED());
    if (!fault_) {
        // The opening of a FIFO waits.
        pthread_mutex_unlock(&gate);
        return (int)syscall(SYS_openat, folder, path, flags, permission);
    }
    int is_new = (flags & O_CREAT) && stat(path_, &status) != 0;
    int file = (int)syscall(SYS_openat, folder, path, flags, permission);
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
    return has_offset ? syscall(SYS_pwritev, file, parts, number_of_parts, offset, 0)
                      : syscall(SYS_writev, file, parts, number_of_parts);
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
    if (hit(fault_, 0)) {
        if (fault_->number || number_of_parts < 1 || parts[0].iov_len < 2) LEAVE((ssize_t)FAILED());
        half = (struct iovec){parts[0].iov_base, parts[0].iov_len / 2};
        parts = &half;
        number_of_parts = 1;
    }
    off_t at = has_offset ? offset : fault_ ? lseek(file, 0, SEEK_CUR) : 0;
    ssize_t done = put(file, parts, number_of_parts, offset, has_offset);
    int is_durable = fault_ && (fcntl(file, F_GETFL) & (O_DSYNC | O_SYNC)) != 0;
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
    if (!armed) return (int)syscall(call, file);
    ENTER(path_of(file, buffer_));
    if (hit(fault_, 0)) LEAVE(FAILED());
    int result = (int)syscall(call, file);
    if (!result) note(fault_, 's', 0, path_, NULL, 0, NULL, 0);
    LEAVE(result);
}
int fsync(int file) { return sync_file(file, SYS_fsync); }
int fdatasync(int file) { return sync_file(file, SYS_fdatasync); }

int ftruncate(int file, off_t length) {
    if (!armed) return (int)syscall(SYS_ftruncate, file, length);
    ENTER(path_of(file, buffer_));
    if (hit(fault_, 0)) LEAVE(FAILED());
    int result = (int)syscall(SYS_ftruncate, file, length);
    if (!result) note(fault_, 't', 0, path_, NULL, (uint64_t)length, NULL, 0);
    LEAVE(result);
}
int ftruncate64(int file, off_t length) { return ftruncate(file, length); }

int posix_fallocate(int file, off_t offset, off_t length) {
    if (!armed) return syscall(SYS_fallocate, file, 0, offset, length) ? errno : 0;
    ENTER(path_of(file, buffer_));
    if (hit(fault_, 0)) LEAVE(fault_->number ? fault_->number : ENOSPC);
    int result = syscall(SYS_fallocate, file, 0, offset, length) ? errno : 0;
    if (!result) note(fault_, 'a', 0, path_, NULL, (uint64_t)(offset + length), NULL, 0);
    LEAVE(result);
}
int posix_fallocate64(int file, off_t offset, off_t length) { return posix_fallocate(file, offset, length); }

// Changes of names.
int rename(const char *from, const char *to) {
    if (!armed) return (int)syscall(SYS_rename, from, to);
    char second[PATH_MAX];
    ENTER(absolute(AT_FDCWD, from, buffer_));
    if (hit(fault_, 0)) LEAVE(FAILED());
    int result = (int)syscall(SYS_rename, from, to);
    if (!result) note(fault_, 'r', 0, path_, absolute(AT_FDCWD, to, second), 0, NULL, 0);
    LEAVE(result);
}

static int change_name(int folder, const char *path, char what, int flags, mode_t permission) {
    ENTER(absolute(folder, path, buffer_));
    if (hit(fault_, 0)) LEAVE(FAILED());
    int result = (int)(what == 'm' ? syscall(SYS_mkdirat, folder, path, permission)
                                   : syscall(SYS_unlinkat, folder, path, flags));
    if (!result) note(fault_, what, 0, path_, NULL, 0, NULL, 0);
    LEAVE(result);
}
int unlink(const char *path) { return change_name(AT_FDCWD, path, 'u', 0, 0); }
int unlinkat(int folder, const char *path, int flags) { return change_name(folder, path, 'u', flags, 0); }
int rmdir(const char *path) { return change_name(AT_FDCWD, path, 'u', AT_REMOVEDIR, 0); }
int mkdir(const char *path, mode_t permission) { return change_name(AT_FDCWD, path, 'm', 0, permission); }
int mkdirat(int folder, const char *path, mode_t mode) { return change_name(folder, path, 'm', 0, mode); }

// Calls that only read, or that change nothing on the disk.
#define READING(type, name, arguments, call) \
    type name arguments { \
        if (!armed) return (type)(call); \
        ENTER(path_of(file, buffer_)); \
        if (hit(fault_, 1)) LEAVE((type)FAILED()); \
        /* It may wait for another thread, which must not wait for this one. */ \
        pthread_mutex_unlock(&gate); \
        return (type)(call); \
    }
READING(ssize_t, read, (int file, void *bytes, size_t n), syscall(SYS_read, file, bytes, n))
READING(ssize_t, pread, (int file, void *bytes, size_t n, off_t o), syscall(SYS_pread64, file, bytes, n, o))
READING(ssize_t, pread64, (int file, void *bytes, size_t n, off_t o), syscall(SYS_pread64, file, bytes, n, o))
READING(int, flock, (int file, int how), syscall(SYS_flock, file, how))

void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset) {
    if (!armed || file < 0) return (void *)syscall(SYS_mmap, address, length, protection, flags, file, offset);
    ENTER(path_of(file, buffer_));
    if (hit(fault_, 1)) LEAVE(((void)FAILED(), MAP_FAILED));
    LEAVE((void *)syscall(SYS_mmap, address, length, protection, flags, file, offset));
}
void *mmap64(void *a, size_t n, int protection, int flags, int file, off_t o) { return mmap(a, n, protection, flags, file, o); }

#define LISTING(type, name) \
    type *name(DIR *folder) { \
        static type *(*real)(DIR *); \
        if (!real) real = (type * (*)(DIR *)) dlsym(RTLD_NEXT, #name); \
        if (!armed) return real(folder); \
        ENTER(path_of(dirfd(folder), buffer_)); \
        if (hit(fault_, 1)) LEAVE(((void)FAILED(), (type *)NULL)); \
        LEAVE(real(folder)); \
    }
LISTING(struct dirent, readdir)
LISTING(struct dirent64, readdir64)
