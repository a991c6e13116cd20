#include <lmdb.h>
#include <sys/syscall.h>
#include <unistd.h>

// Begins to write the dirty pages of a file and does not wait: sync_file_range(2), which the C
// library declares for _GNU_SOURCE only.
static inline long cambium_start_writeback(int file) {
    enum { SYNC_FILE_RANGE_WRITE_ONLY = 2 };
    return syscall(SYS_sync_file_range, file, 0L, 0L, SYNC_FILE_RANGE_WRITE_ONLY);
}
