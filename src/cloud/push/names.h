/* The names of a push, in the bucket and in the project; they follow from the package, the prefix and the
 * project.
 *
 *   PREFIX claims/PROJECT/NAME.json   what the image needs of the bucket: for prune, and while a push runs
 *   PREFIX segments/SHA256            the parts
 *   PREFIX NAME.tar.gz                the archive, then
 *   PREFIX NAME.provenance.json, .spdx.json, .manifest.json.minisig, .manifest.json
 */
#ifndef BAKE_CLOUD_PUSH_NAMES_H
#define BAKE_CLOUD_PUSH_NAMES_H

#include "cloud/compute/images.h"
#include "cloud/storage/storage.h"
#include "seal/types.h"

#define SEGMENTS_FOLDER  "segments/"
#define CLAIMS_FOLDER    "claims/"
#define LABEL_PACKAGE    "bake-package" /* the first 40 hex digits of the manifest's SHA-256 */
#define LABEL_FAMILY     "bake-family"  /* the family the image is meant for, before it is in it and after */
#define LABEL_KUBERNETES "bake-kubernetes" /* the version in the image, as 1-36-3 */
#define LABEL_ETCD       "bake-etcd"

enum { PACKAGE_LABEL = 41, PUSH_VERSION_LABEL = 32, OBJECT_NAME_CAP = OBJECT_NAME_MAX + 1 };

/* The image's name: the package's, shortened before its digest, in characters that the API accepts. */
void push_image_name(const char *package, char out[static IMAGE_NAME_MAX + 1]);
/* The value of LABEL_PACKAGE. */
void push_label(const struct sealed *sealed, char out[static PACKAGE_LABEL]);
/* Is KEY one that only bake sets? */
bool push_own_label(const char *key);
/* A version as a label's value: "1.36.3" is 1-36-3. It is cut at PUSH_VERSION_LABEL. */
void push_version_label(const char *version, char out[static PUSH_VERSION_LABEL]);

struct push_names {
    const char *package;
    const char *prefix; /* of all object names; "" or ends in '/' */
    char image[IMAGE_NAME_MAX + 1];
    char label[PACKAGE_LABEL]; /* the value of LABEL_PACKAGE */
    char archive[OBJECT_NAME_CAP], claim[OBJECT_NAME_CAP];
    char segments[OBJECT_NAME_CAP]; /* prefix of the parts' names */
};

/* RET borrows PREFIX and the package's name. ERR_USAGE: --prefix is too long. */
must_check int push_names_make(const struct sealed *sealed, const char *prefix, const char *project,
                               struct push_names *ret, struct err *err);
/* The object of one of the package's documents: SUFFIX is ".manifest.json". */
must_check int push_names_document(const struct push_names *names, const char *suffix,
                                   char out[static OBJECT_NAME_CAP], struct err *err);

#endif
