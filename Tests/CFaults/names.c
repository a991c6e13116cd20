// Calls that change names.
#include "gate.h"

#include <stdio.h>

static int move_or_link(long call, char what, int folder, const char *from, int other, const char *to, unsigned flags) {
    char second[PATH_MAX];
    if (!fault_armed) return (int)fault_kernel(call, folder, from, other, to, flags);
    ENTER(fault_absolute(folder, from, buffer_));
    const char *new = fault_absolute(other, to, second);
    if (!fault_) fault_ = fault_of(new);
    if (fault_hit(fault_, 0)) LEAVE(FAILED(0));
    int result = (int)fault_kernel(call, folder, from, other, to, flags);
    if (!result) fault_note(fault_, what, 0, path_, new, 0, NULL, 0);
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
    ENTER(fault_absolute(folder, path, buffer_));
    if (fault_hit(fault_, 0)) LEAVE(FAILED(0));
    int result = (int)(what == 'm' ? fault_kernel(SYS_mkdirat, folder, path, permission)
                                   : fault_kernel(SYS_unlinkat, folder, path, flags));
    if (!result) fault_note(fault_, what, 0, path_, NULL, 0, NULL, 0);
    LEAVE(result);
}
int unlink(const char *path) { return change_name(AT_FDCWD, path, 'u', 0, 0); }
int unlinkat(int folder, const char *path, int flags) { return change_name(folder, path, 'u', flags, 0); }
int rmdir(const char *path) { return change_name(AT_FDCWD, path, 'u', AT_REMOVEDIR, 0); }
int mkdir(const char *path, mode_t permission) { return change_name(AT_FDCWD, path, 'm', 0, permission); }
int mkdirat(int folder, const char *path, mode_t mode) { return change_name(folder, path, 'm', 0, mode); }
