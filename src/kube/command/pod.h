/* The calls of a pod's containers.
 *
 * In:    a manifest's text (YAML or JSON), which may be hostile; marks of the agent are filled with
 * stand-ins. Out:   command and arguments of each container of each Pod, with $(NAME) replaced by the
 * container's variables. A container without "command" runs its image's program and is left out. Fails:
 * ERR_RECIPE: it is not YAML, with the line. Source: the Pod of Kubernetes' API; "Define a Command and
 * Arguments" of its documentation.
 */
#ifndef BAKE_KUBE_COMMAND_POD_H
#define BAKE_KUBE_COMMAND_POD_H

#include "kube/command/call.h"

must_check int pod_calls(const char *text, size_t len, struct call_list *ret, struct err *err);

#endif
