#include "http/answer.h"

#include <string.h>
#include <strings.h>

const char *http_header(const struct http_answer *answer, const char *name, unsigned nth)
{
    size_t len = strlen(name);
    const struct buf *head = &answer->head;
    for (size_t at = 0; at < head->len; at += strlen(head->data + at) + 1) {
        const char *line = head->data + at;
        if (strncasecmp(line, name, len) == 0 && line[len] == ':' && nth-- == 0)
            return line + len + 1;
    }
    return NULL;
}

void http_answer_free(struct http_answer *answer)
{
    if (answer->body.data)
        explicit_bzero(answer->body.data, answer->body.capacity);
    if (answer->head.data)
        explicit_bzero(answer->head.data, answer->head.capacity);
    buf_free(&answer->body);
    buf_free(&answer->head);
    answer->status = 0;
}
