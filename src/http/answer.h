/* The answer to one HTTP request.
 *
 * Owns:  its buffers until http_answer_free(), which wipes them: an answer may hold a token.
 */
#ifndef BAKE_HTTP_ANSWER_H
#define BAKE_HTTP_ANSWER_H

#include "base/buf.h"

struct http_answer {
    int status;
    struct buf head; /* see http_header() */
    struct buf body;
};
#define HTTP_ANSWER_EMPTY                                                                                    \
    {                                                                                                        \
        .status = 0                                                                                          \
    }

/* The NTH (from 0) value of header NAME, without surrounding white space; NULL: there is none. */
const char *http_header(const struct http_answer *answer, const char *name, unsigned nth);

void http_answer_free(struct http_answer *answer);
#define cleanup_http_answer cleanup(http_answer_free)

#endif
