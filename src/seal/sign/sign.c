#include "seal/sign/sign.h"

#include <stdio.h>
#include <string.h>

#include "text/path.h"

int sign_text(const struct buf *text, const char *name, int64_t epoch, const struct signing_key *key,
              struct buf *ret, struct err *err)
{
    char comment[NAME_CAP + 64];
    uint8_t digest[MINISIGN_DIGEST_SIZE];
    if (!path_name_ok(name))
        return err_set(err, ERR_INTERNAL, 0, "\"%.100s\" cannot be the name of a signed file", name);
    snprintf(comment, sizeof comment, "timestamp:%lld\tfile:%s\thashed", (long long)epoch, name);
    minisign_digest(text->data, text->len, digest);
    return minisign_sign(key->secret, digest, comment, ret, err);
}

int sign_comment_names(const char *comment, const char *name, const char *signature_name, struct err *err)
{
    const char *at = strstr(comment, "\tfile:");
    size_t len = strlen(name);
    if (at && strncmp(at + 6, name, len) == 0 && (at[6 + len] == '\t' || at[6 + len] == '\0'))
        return 0;
    return err_set(err, ERR_VERIFY, 0,
                   "%s is a valid signature, but of another file: \"%.200s\" does not name %s",
                   signature_name, comment, name);
}
