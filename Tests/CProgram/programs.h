#ifndef PROGRAMS_H
#define PROGRAMS_H

// Each of a checkpoint's folder and an empty directory; 0 when all is as it should be.
int program_reads(const char *folder, const char *work);
int program_commits(const char *folder, const char *work);
int program_patches(const char *folder, const char *work);
int program_keeps_history(const char *folder, const char *work);
int program_is_refused(const char *folder, const char *work);
int program_cancels(const char *folder, const char *work);
int program_forks(const char *folder, const char *work);
int program_forks_while_it_opens(const char *folder, const char *work);
int program_shares_handles(const char *folder, const char *work);
int program_runs_a_model(const char *folder, const char *work);
int program_survives(const char *folder, const char *work);
// docs/c.md; the store is made at `path`.
int program_example(const char *folder, const char *path);

#endif
