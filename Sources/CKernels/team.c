// A team whose threads spin for a short while between loops, since the loops of one token follow each
// other within microseconds, and then sleep.

#include "cambium_team.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

// Looks at the job before a thread sleeps, some 200 microseconds: longer than what one thread does alone between the
// loops of a layer, since to wake a thread takes 50 and more; before the caller gives way.
enum { SPINS = 5000, PATIENCE = 20000 };

struct cambium_team {
    // The number of the job and the next part of it, in one word: a part is claimed by adding one
    // to the word as it was when the job's fields were read, so a thread that comes late can never
    // claim a part of a job that it did not see.
    _Atomic uint64_t ticket;
    _Atomic size_t parts, done, sleepers;
    _Atomic int ends;
    void (*_Atomic body)(void *, size_t);
    void *_Atomic context;
    pthread_mutex_t owner, sleep;
    pthread_cond_t wake;
    size_t count;
    pthread_t threads[];
};

static void rest(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    sched_yield();
#endif
}

static uint32_t job_of(uint64_t ticket) { return (uint32_t)(ticket >> 32); }

// Does parts of the job that the ticket names until none is left.
static void work(struct cambium_team *team, uint32_t job) {
    uint64_t ticket = atomic_load(&team->ticket);
    while (job_of(ticket) == job && (uint32_t)ticket < atomic_load(&team->parts)) {
        void (*body)(void *, size_t) = atomic_load(&team->body);
        void *context = atomic_load(&team->context);
        if (!atomic_compare_exchange_weak(&team->ticket, &ticket, ticket + 1)) continue;
        body(context, (uint32_t)ticket);
        atomic_fetch_add(&team->done, 1);
        ticket = atomic_load(&team->ticket);
    }
}

static void *attend(void *argument) {
    struct cambium_team *team = argument;
    uint32_t last = 0;
    while (!atomic_load(&team->ends)) {
        uint32_t job = last;
        for (int spin = 0; spin < SPINS && job == last; spin++) {
            rest();
            job = job_of(atomic_load(&team->ticket));
        }
        if (job == last) {
            pthread_mutex_lock(&team->sleep);
            atomic_fetch_add(&team->sleepers, 1);
            while ((job = job_of(atomic_load(&team->ticket))) == last &&
                   !atomic_load(&team->ends)) {
                pthread_cond_wait(&team->wake, &team->sleep);
            }
            atomic_fetch_sub(&team->sleepers, 1);
            pthread_mutex_unlock(&team->sleep);
        }
        last = job;
        work(team, job);
    }
    return NULL;
}

static void wake_all(struct cambium_team *team) {
    if (atomic_load(&team->sleepers) == 0) return;
    pthread_mutex_lock(&team->sleep);
    pthread_cond_broadcast(&team->wake);
    pthread_mutex_unlock(&team->sleep);
}

struct cambium_team *cambium_team_create(size_t count) {
    size_t size = sizeof(struct cambium_team) + (count - 1) * sizeof(pthread_t);
    struct cambium_team *team = calloc(1, size);
    if (!team) return NULL;
    pthread_mutex_init(&team->owner, NULL);
    pthread_mutex_init(&team->sleep, NULL);
    pthread_cond_init(&team->wake, NULL);
    for (team->count = 1; team->count < count; team->count++) {
        if (pthread_create(&team->threads[team->count - 1], NULL, attend, team) != 0) {
            cambium_team_destroy(team);
            return NULL;
        }
    }
    return team;
}

void cambium_team_run(struct cambium_team *team, size_t parts, void (*body)(void *, size_t),
                      void *context) {
    if (parts <= 1 || parts >= UINT32_MAX || pthread_mutex_trylock(&team->owner) != 0) {
        for (size_t part = 0; part < parts; part++) body(context, part);
        return;
    }
    // A thread that still reads these for the last job cannot claim a part by them: first the
    // ticket moves past any number of parts, then the fields change, then the new job begins.
    uint32_t job = job_of(atomic_load(&team->ticket)) + 1;
    atomic_store(&team->ticket, (uint64_t)job << 32 | UINT32_MAX);
    atomic_store(&team->body, body);
    atomic_store(&team->context, context);
    atomic_store(&team->done, 0);
    atomic_store(&team->parts, parts);
    job++;
    atomic_store(&team->ticket, (uint64_t)job << 32);
    wake_all(team);
    work(team, job);
    for (int spin = 0; atomic_load(&team->done) < parts; spin++) {
        if (spin < PATIENCE) {
            rest();
        } else {
            sched_yield();
        }
    }
    pthread_mutex_unlock(&team->owner);
}

void cambium_team_destroy(struct cambium_team *team) {
    atomic_store(&team->ends, 1);
    pthread_mutex_lock(&team->sleep);
    pthread_cond_broadcast(&team->wake);
    pthread_mutex_unlock(&team->sleep);
    for (size_t i = 0; i + 1 < team->count; i++) pthread_join(team->threads[i], NULL);
    pthread_cond_destroy(&team->wake);
    pthread_mutex_destroy(&team->sleep);
    pthread_mutex_destroy(&team->owner);
    free(team);
}
