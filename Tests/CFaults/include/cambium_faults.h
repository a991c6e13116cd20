// Faults in the system calls of this process: the I/O seam of the tests, and of tools/campaign.
#pragma once

#include <spawn.h>

// Which calls on files below the root are counted, and what happens at the one that was chosen.
enum cambium_fault_mode {
    CAMBIUM_FAULT_COUNT = 1,      // nothing; calls that change the disk are counted
    CAMBIUM_FAULT_KILL = 2,       // the process kills itself before it
    CAMBIUM_FAULT_FAIL = 3,       // it fails; with the error 0 a write is done by half
    CAMBIUM_FAULT_FAIL_READ = 4,  // as FAIL, of calls that only read
    CAMBIUM_FAULT_RECORD = 5,     // nothing; each change is recorded (campaign only)
};

// Counts from now on the calls on files whose absolute path begins with `root`; the `at`-th, from 1, meets the
// fault. Several may be armed, with roots of their own.
//
// Returns its number, or -1 when too many are armed or the root is too long.
int cambium_fault_arm(const char *root, int mode, long at, int number);

// Ends it; the number of calls that were counted.
long cambium_fault_disarm(int fault);

// Adds that a program that is started has no files but the standard ones, and another current directory; NULL for this
// program's. 0, or an error number.
int cambium_spawn_prepare(posix_spawn_file_actions_t *actions, const char *directory);
