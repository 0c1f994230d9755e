#include "bake/job/inputs/epoch.h"

#include <string.h>

int epoch_from_environment(int64_t *ret, bool *ret_set, struct err *err)
{
    const char *text = getenv("SOURCE_DATE_EPOCH");
    *ret_set = text && *text;
    if (!*ret_set)
        return 0;
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || *end || value < 0 || value > INT64_C(253402300799))
        return err_set(err, ERR_USAGE, 0, "SOURCE_DATE_EPOCH is \"%s\", not seconds since 1970", text);
    *ret = value;
    return 0;
}
