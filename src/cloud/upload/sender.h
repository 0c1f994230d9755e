/* Parts go to the bucket while the archive is still being made.
 *
 * In:    the bytes of parts with their sums, as they come.
 * Out:   objects named by their content, as a push would make them. The push comes afterwards all the same, and sends what is
 *        missing: whatever this leaves undone costs only time.
 * Fails: sender_begin() when out of memory. Later it gives up by itself, and a note says why.
 * Owns:  its threads, and copies of the parts that wait, SENDER_WAITING bytes at most.
 * Never: makes who adds a part wait; sends a part that the bucket has.
 */
#ifndef BAKE_CLOUD_UPLOAD_SENDER_H
#define BAKE_CLOUD_UPLOAD_SENDER_H

#include "cloud/storage/storage.h"

enum { SENDER_WAITING = 64 << 20 /* bytes; what is more is left to the push */ };

struct sender;

/* STORAGE must stay. PREFIX comes before the parts' names. THREADS 0: some. */
must_check int sender_begin(const struct storage *storage, const char *prefix, unsigned threads,
                            struct sender **ret, struct err *err);
/* From one thread. */
void sender_add(struct sender *sender, const void *bytes, size_t len, const struct sha256 *sha256,
                uint32_t crc32c);
/* Waits for what is on its way. SENDER may be NULL. */
struct sender_counts {
    uint64_t parts, bytes;
};
struct sender_counts sender_end(struct sender *sender);

#endif
