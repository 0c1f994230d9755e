/* Version numbers as Kubernetes, etcd and containerd write them: "1.36.3", "v1.36", "3.5.0~rc.1",
 * "2.1.9+unknown".
 *
 * Fails: a number that cannot be read has no parts; nothing is ever compared with it.
 */
#ifndef BAKE_KUBE_PROGRAM_NUMBER_H
#define BAKE_KUBE_PROGRAM_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

enum { KUBE_NUMBER_PARTS = 3, KUBE_NUMBER_CAP = 3 * 5 };

struct kube_number {
    unsigned parts;                   /* how many are known, 0 to 3 */
    unsigned part[KUBE_NUMBER_PARTS]; /* major, minor, patch: each at most 9999 */
};

/* LEN bytes, which need no NUL. What follows the patch ("-rc.1", "+dirty") is not kept. */
bool kube_number_parse(const char *text, size_t len, struct kube_number *ret);

/* Less than, equal to or greater than 0, by the parts that both have: 1.36 is equal to 1.36.3. */
int kube_number_compare(const struct kube_number *a, const struct kube_number *b);

/* "1.36.3"; "" without parts. */
const char *kube_number_text(const struct kube_number *number, char ret[static KUBE_NUMBER_CAP]);

#endif
