#include "agent/etcd/box.h"

#include <string.h>

#include <sodium.h>

enum { MARK = 4, NONCE = crypto_secretbox_NONCEBYTES, TAG = crypto_secretbox_MACBYTES };

static const unsigned char mark[MARK] = {'B', 'K', 'R', 1};

_Static_assert(BOX_OVERHEAD == MARK + NONCE + TAG, "as box.h declares it");
_Static_assert(BOX_KEY_SIZE == crypto_secretbox_KEYBYTES, "as box.h declares it");

bool box_seal(const unsigned char key[BOX_KEY_SIZE], const void *message, size_t len,
              unsigned char ret[BOX_MAX], size_t *ret_len)
{
    if (len > BOX_MESSAGE_MAX)
        return false;
    memcpy(ret, mark, MARK);
    /* 192 random bits never repeat, and unlike a counter need not survive reboots */
    randombytes_buf(ret + MARK, NONCE);
    crypto_secretbox_easy(ret + MARK + NONCE, message, len, ret + MARK, key);
    *ret_len = len + BOX_OVERHEAD;
    return true;
}

bool box_open(const unsigned char key[BOX_KEY_SIZE], const unsigned char *box, size_t len,
              unsigned char ret[BOX_MESSAGE_MAX], size_t *ret_len)
{
    if (len < BOX_OVERHEAD || len > BOX_MAX || memcmp(box, mark, MARK) != 0 ||
        crypto_secretbox_open_easy(ret, box + MARK + NONCE, len - MARK - NONCE, box + MARK, key) < 0)
        return false;
    *ret_len = len - BOX_OVERHEAD;
    return true;
}
