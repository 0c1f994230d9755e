#include "cloud/api/retry.h"

#include "cloud/api/error.h"

bool api_retry_wanted(const struct http_answer *answer)
{
    struct api_error error;
    switch (answer->status) {
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
        return true;
    default:
        if (answer->status < 400)
            return false;
        api_error_read(answer, &error);
        return error.temporary;
    }
}

int api_retry_answer(struct retry *retry, const char *what, const struct http_answer *answer,
                     const struct run *run, struct err *err)
{
    api_error_set(answer, what, err);
    return retry_again(retry, what, answer, run, err);
}
