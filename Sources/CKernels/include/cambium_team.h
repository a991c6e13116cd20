// Threads that wait for loops to share.
#ifndef CAMBIUM_TEAM_H
#define CAMBIUM_TEAM_H

#include <stddef.h>

struct cambium_team;

// A team of `count` threads, the caller's among them: starts count - 1. NULL when memory or threads
// cannot be had.
struct cambium_team *cambium_team_create(size_t count);

// Calls body(context, i) once for each i < parts, on some thread of the team, and returns when all
// have returned. When the team is busy, because another thread shares a loop or body itself calls
// this, the caller's thread does all of it.
void cambium_team_run(struct cambium_team *team, size_t parts, void (*body)(void *, size_t),
                      void *context);

// Ends the threads. No loop may be running.
void cambium_team_destroy(struct cambium_team *team);

#endif
