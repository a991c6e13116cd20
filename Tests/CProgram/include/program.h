// Uses of the C interface as a C program has them.

#ifndef PROGRAM_H
#define PROGRAM_H

// Runs one by its name: 0, or 1 after it said on standard error what failed; 2 for a name that is none. `folder` is a
// checkpoint of Qwen3-MoE, or of peer-lm for "runs a model"; `work` an empty directory.
int program(const char *name, const char *folder, const char *work);

#endif
