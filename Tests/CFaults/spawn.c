// What posix_spawn(3) has beyond POSIX, which the module of the C library does not show.
#define _GNU_SOURCE
#include "cambium_faults.h"

int cambium_spawn_prepare(posix_spawn_file_actions_t *actions, const char *directory) {
    int code = posix_spawn_file_actions_addclosefrom_np(actions, 3);
    if (code == 0 && directory) code = posix_spawn_file_actions_addchdir_np(actions, directory);
    return code;
}
