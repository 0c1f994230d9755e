/* bake test --native: the image's ROOT as containers, at this machine's own speed.
 *
 * In:    a verified disk.
 * Out:   on stdout what was checked and measured, a line each; whether all of it was so.
 * Fails: ERR_USAGE when not root; ERR_TEST when a check failed or the time ran out; ERR_IO when a tool is missing;
 *        ERR_INTERRUPTED.
 * Owns:  a folder of the scripts and the nodes' disks, in $TMPDIR or /var/tmp.
 * Never: leaves a container, a mount, a network or a file behind, however it ends: a process of its own sees to that
 *        when this one is gone.
 *
 * The work is done by the scripts that the project tests itself with (tests/cluster), which are compiled in.
 */
#ifndef BAKE_FRONT_TRIAL_NATIVE_H
#define BAKE_FRONT_TRIAL_NATIVE_H

#include "bake/trial/trial.h"

must_check int trial_native(struct common *common, const struct trial_options *options, int disk_fd,
                            struct err *err);

#endif
