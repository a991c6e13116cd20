// Reports: the part of cambium.h that draws what happened. Include cambium.h.

#ifndef CAMBIUM_REPORT_H
#define CAMBIUM_REPORT_H

#include "cambium.h"

// MARK: Reports (docs/reports.md)

// What happened, as one page of HTML that needs nothing from elsewhere. `revisions` are where history starts; none of them
// for every branch and tag. `title` NULL is the store's folder.
cambium_code cambium_report(
    cambium_store *store, const char *const *revisions, uint64_t revision_count, const char *title,
    char **html);
// One figure of it, as "json" (NULL), "csv" or "svg".
cambium_code cambium_figure(
    cambium_store *store, const char *name, const char *const *revisions, uint64_t revision_count,
    const char *form, char **text);

#endif
