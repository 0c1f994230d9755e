/* bake test --native: the image's ROOT as containers, at this machine's own speed.
 *
 * In:    a verified disk.
 * Out:   on stdout, one line for each check and figure; whether all checks passed.
 * Fails: ERR_USAGE when not root; ERR_TEST when a check failed or the time limit was reached; ERR_IO when a
 *        tool is missing; ERR_INTERRUPTED.
 * Owns:  a folder with the scripts and the nodes' disks, in $TMPDIR or /var/tmp.
 * Never: leaves a container, a mount, a network or a file behind, however it ends: a guard process cleans up
 *        when this one is gone.
 *
 * The work is done by the scripts beside this file, which are compiled in; the project tests itself with
 * them, too.
 */
#ifndef BAKE_FRONT_TRIAL_NATIVE_H
#define BAKE_FRONT_TRIAL_NATIVE_H

#include "bake/trial/trial.h"

must_check int trial_native(struct common *common, const struct trial_options *options, int disk_fd,
                            struct err *err);

#endif
