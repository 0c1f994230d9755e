/* Units and manifests, for the calls in them. The first byte chooses. */
#include <stdint.h>
#include <stdlib.h>

#include "kube/command/pod.h"
#include "kube/command/unit.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    cleanup_arena struct arena arena = {0};
    struct call_list list = {.arena = &arena};
    struct err err = {0};
    if (len == 0)
        return 0;
    const struct unit_text text = {(const char *)bytes + 1, len - 1};
    int result =
        bytes[0] == 'u' ? unit_calls(&text, 1, &list, &err) : pod_calls(text.text, text.len, &list, &err);
    for (size_t i = 0; result == 0 && i < list.count; i++)
        if (list.items[i].count > CALL_WORDS_MAX || list.items[i].argv[list.items[i].count])
            abort();
    return 0;
}
