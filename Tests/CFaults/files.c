// Calls that change files: opened, written, synced, cut, allocated.
#include "gate.h"

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

static int open_file(int folder, const char *path, int flags, unsigned permission) {
    if (fault_broken == UNSYNCED) flags &= ~(O_SYNC | O_DSYNC);
    if (!fault_armed) return (int)fault_kernel(SYS_openat, folder, path, flags, permission);
    ENTER(fault_absolute(folder, path, buffer_));
    struct stat status;
    if (fault_ && fault_hit(fault_, !(flags & (O_CREAT | O_TRUNC)))) LEAVE(FAILED(-1));
    if (!fault_) {
        // The opening of a FIFO waits.
        pthread_mutex_unlock(&fault_gate);
        return (int)fault_kernel(SYS_openat, folder, path, flags, permission);
    }
    int is_new = (flags & O_CREAT) && stat(path_, &status) != 0;
    int file = (int)fault_kernel(SYS_openat, folder, path, flags, permission);
    if (file >= 0 && (is_new || (flags & O_TRUNC))) fault_note(fault_, is_new ? 'c' : 't', 0, path_, NULL, 0, NULL, 0);
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
    return has_offset ? fault_kernel(SYS_pwritev, file, parts, number_of_parts, offset, 0)
                      : fault_kernel(SYS_writev, file, parts, number_of_parts);
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
        fault_hit(fault, 0);
        fault_kernel(SYS_pwrite64, one->file, one->bytes, one->length, one->offset);
        fault_kernel(SYS_close, one->file);
        waiting = one->next;
        free(one);
    }
}

static ssize_t write_parts(int file, const struct iovec *parts, int number_of_parts, off_t offset, int has_offset) {
    if (!fault_armed) return put(file, parts, number_of_parts, offset, has_offset);
    ENTER(fault_path(file, buffer_));
    struct iovec half;
    if (!fault_) {
        // A write to a pipe may wait.
        pthread_mutex_unlock(&fault_gate);
        return put(file, parts, number_of_parts, offset, has_offset);
    }
    int is_durable = (fcntl(file, F_GETFL) & (O_DSYNC | O_SYNC)) != 0;
    if (fault_broken == LATE && !is_durable && ends_with(path_, "/data.mdb"))
        LEAVE(keep_waiting(file, parts, number_of_parts, has_offset ? offset : lseek(file, 0, SEEK_CUR), has_offset));
    if (fault_hit(fault_, 0)) {
        if (fault_->number || fault_broken == SWALLOWING || number_of_parts < 1 || parts[0].iov_len < 2) LEAVE(FAILED((ssize_t)length_of(parts, number_of_parts)));
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
        fault_note(fault_, 'w', is_durable, path_, NULL, (uint64_t)at, parts[i].iov_base, length);
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
    if (!fault_armed) return (int)fault_kernel(call, file);
    ENTER(fault_path(file, buffer_));
    if (fault_hit(fault_, 0)) LEAVE(FAILED(0));
    if (fault_broken == UNSYNCED) LEAVE(0);
    int result = (int)fault_kernel(call, file);
    if (!result) fault_note(fault_, 's', 0, path_, NULL, 0, NULL, 0);
    LEAVE(result);
}
int fsync(int file) { return sync_file(file, SYS_fsync); }
int fdatasync(int file) { return sync_file(file, SYS_fdatasync); }

int ftruncate(int file, off_t length) {
    if (!fault_armed) return (int)fault_kernel(SYS_ftruncate, file, length);
    ENTER(fault_path(file, buffer_));
    if (fault_hit(fault_, 0)) LEAVE(FAILED(0));
    int result = (int)fault_kernel(SYS_ftruncate, file, length);
    if (!result) fault_note(fault_, 't', 0, path_, NULL, (uint64_t)length, NULL, 0);
    LEAVE(result);
}
int ftruncate64(int file, off_t length) { return ftruncate(file, length); }

int posix_fallocate(int file, off_t offset, off_t length) {
    if (!fault_armed) return fault_kernel(SYS_fallocate, file, 0, offset, length) ? errno : 0;
    ENTER(fault_path(file, buffer_));
    if (fault_hit(fault_, 0)) LEAVE(fault_->number ? fault_->number : ENOSPC);
    int result = fault_kernel(SYS_fallocate, file, 0, offset, length) ? errno : 0;
    if (!result) fault_note(fault_, 'a', 0, path_, NULL, (uint64_t)(offset + length), NULL, 0);
    LEAVE(result);
}
int posix_fallocate64(int file, off_t offset, off_t length) { return posix_fallocate(file, offset, length); }

// Changes that a cut of power does not model: of metadata, and what only speeds up.
#define CHANGING(name, arguments, call) \
    int name arguments { \
        if (!fault_armed) return (int)(call); \
        ENTER(fault_path(file, buffer_)); \
        if (fault_hit(fault_, 0)) LEAVE(FAILED(0)); \
        LEAVE((int)(call)); \
    }
CHANGING(fchmod, (int file, mode_t mode), fault_kernel(SYS_fchmod, file, mode))
CHANGING(fchown, (int file, uid_t user, gid_t group), fault_kernel(SYS_fchown, file, user, group))
CHANGING(sync_file_range, (int file, off64_t at, off64_t n, unsigned how), fault_kernel(SYS_sync_file_range, file, at, n, how))
