#include "program.h"

#include "programs.h"

#include <stdio.h>
#include <string.h>

static int example(const char *folder, const char *work) {
    char path[1024];
    snprintf(path, sizeof path, "%s/S", work);
    return program_example(folder, path);
}

int program(const char *name, const char *folder, const char *work) {
    static const struct {
        const char *name;
        int (*run)(const char *, const char *);
    } programs[] = {
        {"reads", program_reads},
        {"commits", program_commits},
        {"patches", program_patches},
        {"keeps history", program_keeps_history},
        {"is refused", program_is_refused},
        {"cancels", program_cancels},
        {"forks", program_forks},
        {"forks while it opens", program_forks_while_it_opens},
        {"shares handles", program_shares_handles},
        {"runs a model", program_runs_a_model},
        {"survives", program_survives},
        {"example", example},
    };
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        if (strcmp(name, programs[i].name) == 0) return programs[i].run(folder, work);
    return 2;
}
