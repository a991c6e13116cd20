// What the Swift side of the C interface needs of C: a text for each thread, and a lock that fork() leaves usable.
// Not for users.

#ifndef CAMBIUM_PROCESS_H
#define CAMBIUM_PROCESS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Keeps a copy as the thread's message.
void cambium_process_set_message(const char *text);
const char *cambium_process_message(void);

// One lock for the table of handles. A process that is forked meanwhile finds it free and the table whole.
void cambium_process_lock(void);
void cambium_process_unlock(void);

// How many forks lie between this process and the first that asked.
uint32_t cambium_process_generation(void);

#ifdef __cplusplus
}
#endif

#endif
