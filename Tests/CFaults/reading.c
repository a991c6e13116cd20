// Calls that only read or lock, and those that the program makes by number.
#include "gate.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>

#define READING(type, name, arguments, call) \
    type name arguments { \
        if (!fault_armed) return (type)(call); \
        ENTER(fault_path(file, buffer_)); \
        if (fault_hit(fault_, 1)) LEAVE((type)FAILED(0)); \
        /* It may wait for another thread, which must not wait for this one. */ \
        pthread_mutex_unlock(&fault_gate); \
        return (type)(call); \
    }
READING(ssize_t, read, (int file, void *bytes, size_t n), fault_kernel(SYS_read, file, bytes, n))
READING(ssize_t, pread, (int file, void *bytes, size_t n, off_t o), fault_kernel(SYS_pread64, file, bytes, n, o))
READING(ssize_t, pread64, (int file, void *bytes, size_t n, off_t o), fault_kernel(SYS_pread64, file, bytes, n, o))

static int lock_file(int file, int how) { return fault_broken == UNLOCKED ? 0 : (int)fault_kernel(SYS_flock, file, how); }
READING(int, flock, (int file, int how), lock_file(file, how))

static int lock_bytes(int file, int command, void *lock) {
    return fault_broken == UNLOCKED ? 0 : (int)fault_kernel(SYS_fcntl, file, command, lock);
}
static READING(int, counted_lock, (int file, int command, void *lock), lock_bytes(file, command, lock))

static int control(int file, int command, void *argument) {
    int is_lock = command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW;
    return is_lock ? counted_lock(file, command, argument) : (int)fault_kernel(SYS_fcntl, file, command, argument);
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
    if (!fault_armed || file < 0) return (void *)fault_kernel(SYS_mmap, address, length, protection, flags, file, offset);
    ENTER(fault_path(file, buffer_));
    if (fault_hit(fault_, 1)) LEAVE(((void)FAILED(-1), MAP_FAILED));
    LEAVE((void *)fault_kernel(SYS_mmap, address, length, protection, flags, file, offset));
}
void *mmap64(void *a, size_t n, int protection, int flags, int file, off_t o) { return mmap(a, n, protection, flags, file, o); }

#define LISTING(type, name) \
    type *name(DIR *folder) { \
        static type *(*real)(DIR *); \
        if (!real) real = (type * (*)(DIR *)) dlsym(RTLD_NEXT, #name); \
        if (!fault_armed) return real(folder); \
        ENTER(fault_path(dirfd(folder), buffer_)); \
        if (fault_hit(fault_, 1)) LEAVE(((void)FAILED(0), (type *)NULL)); \
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
    if (fault_armed && number == SYS_renameat2)
        return renameat2((int)a[0], (const char *)a[1], (int)a[2], (const char *)a[3], (unsigned)a[4]);
    if (fault_armed && number == SYS_sync_file_range) return sync_file_range((int)a[0], a[1], a[2], (unsigned)a[3]);
    if ((fault_armed || fault_broken) && number == SYS_fcntl) return control((int)a[0], (int)a[1], (void *)a[2]);
    return fault_kernel(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
