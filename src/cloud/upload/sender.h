/* Sends parts to the bucket while the archive is still being made.
 *
 * In:    the bytes of parts with their checksums, as they come.
 * Out:   objects named by their content, as a push would make them. The push comes afterwards in any case and
 *        sends what is missing: whatever is left undone here costs only time.
 * Fails: sender_begin() when out of memory. Later errors end the sending, with a note that gives the reason.
 * Owns:  its threads, and copies of the waiting parts, SENDER_WAITING bytes at most.
 * Never: blocks the caller that adds a part; sends a part that the bucket has.
 */
#ifndef BAKE_CLOUD_UPLOAD_SENDER_H
#define BAKE_CLOUD_UPLOAD_SENDER_H

#include "cloud/storage/storage.h"

enum { SENDER_WAITING = 64 << 20 /* bytes; anything more is left to the push */ };

struct sender;

/* STORAGE is borrowed until sender_end(). PREFIX begins the parts' names. THREADS 0: the default. */
must_check int sender_begin(const struct storage *storage, const char *prefix, unsigned threads,
                            struct sender **ret, struct err *err);
/* From one thread at a time. BYTES are copied. */
void sender_add(struct sender *sender, const void *bytes, size_t len, const struct sha256 *sha256,
                uint32_t crc32c);
struct sender_counts {
    uint64_t parts, bytes; /* that were sent */
};
/* Waits for the parts that are being sent or wait. SENDER may be NULL. */
struct sender_counts sender_end(struct sender *sender);

#endif
