#include <lmdb.h>
#include <sys/syscall.h>
#include <unistd.h>

// Begins to write the dirty pages of a file and does not wait: sync_file_range(2), which the C
// library declares for _GNU_SOURCE only.
static inline long cambium_start_writeback(int file) {
    enum { SYNC_FILE_RANGE_WRITE_ONLY = 2 };
    return syscall(SYS_sync_file_range, file, 0L, 0L, SYNC_FILE_RANGE_WRITE_ONLY);
}

// <fcntl.h> is left out: with it this module would be the one that defines the C library's types.

// Renames a file to a name that must be free: renameat2(2) with RENAME_NOREPLACE.
static inline long cambium_rename_new(const char *from, const char *to) {
    enum { CURRENT_FOLDER = -100, NO_REPLACE = 1 };
    return syscall(SYS_renameat2, CURRENT_FOLDER, from, CURRENT_FOLDER, to, NO_REPLACE);
}

// struct flock of the kernel's 64-bit interface; see fcntl_locking(2).
struct cambium_lock {
    short type, whence;
    long start, length;
    int process;
};

// Holds the byte that LMDB locks alone when nobody uses the environment (mdb.c, mdb_env_excl_lock), shared and
// by this descriptor, not by the process: F_OFD_SETLK, which binds the process's own locks as well. 0 or -1.
static inline long cambium_keep_lock_shared(int file) {
    enum { OFD_SETLK = 37 };
    struct cambium_lock user = {.start = 0, .length = 1};
    return syscall(SYS_fcntl, file, OFD_SETLK, &user);
}

// Takes again what the process had locked in LMDB's lock file (mdb.c, mdb_env_excl_lock and mdb_reader_pid): the
// byte of all users, shared, and alone the one that says that this process lives. 0 or -1.
static inline long cambium_restore_locks(int file) {
    enum { SETLK = 6, ALONE = 1 };
    struct cambium_lock user = {.start = 0, .length = 1};
    struct cambium_lock process = {.type = ALONE, .start = getpid(), .length = 1};
    long code = syscall(SYS_fcntl, file, SETLK, &user);
    return code != 0 ? code : syscall(SYS_fcntl, file, SETLK, &process);
}
