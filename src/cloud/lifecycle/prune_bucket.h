/* What the bucket no longer needs: first found, then deleted.
 *
 * Fails: as prune.h says.
 */
#ifndef BAKE_CLOUD_LIFECYCLE_PRUNE_BUCKET_H
#define BAKE_CLOUD_LIFECYCLE_PRUNE_BUCKET_H

#include "cloud/lifecycle/name_set.h"
#include "cloud/lifecycle/prune.h"

/* The bucket's contents and who needs them. Only prune_bucket_survey() fills it in. */
struct bucket_survey {
    struct object_list segments, claims;
    struct name_set packages, needed; /* named by a living claim: packages, segments */
    struct name_set dead_packages;    /* whose image is gone */
    struct name_set dead_claims;      /* names of objects */
    bool of_family;                   /* a claim names the family */
};
void bucket_survey_free(struct bucket_survey *survey);
#define cleanup_bucket_survey cleanup(bucket_survey_free)

/* IMAGES, of which DOOMED[i] marks those that this run deletes: in a dry run they still exist. */
must_check int prune_bucket_survey(const struct prune *prune, const struct image_list *images,
                                   const bool *doomed, struct bucket_survey *ret, struct err *err);
/* Deletes what the survey says is not needed. */
must_check int prune_bucket_sweep(const struct prune *prune, const struct bucket_survey *survey,
                                  struct prune_result *result, struct err *err);

#endif
