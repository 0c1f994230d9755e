#include "disk/overlay.h"

#include <string.h>

/* The home slot of UNIT. */
static size_t home(const struct overlay *overlay, uint64_t unit)
{
    return (size_t)((unit * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & (overlay->capacity - 1);
}

/* The slot that holds UNIT, or the free slot for it. */
static struct overlay_slot *find_slot(const struct overlay *overlay, uint64_t unit)
{
    size_t at = home(overlay, unit);
    while (overlay->slots[at].bytes && overlay->slots[at].unit != unit)
        at = (at + 1) & (overlay->capacity - 1);
    return &overlay->slots[at];
}

static bool grow_table(struct overlay *overlay)
{
    if (overlay->count < overlay->capacity / 2)
        return true;
    struct overlay old = *overlay;
    struct overlay grown = {.count = old.count, .capacity = old.capacity ? old.capacity * 2 : 1024};
    grown.slots = calloc(grown.capacity, sizeof *grown.slots);
    if (!grown.slots)
        return false;
    for (size_t i = 0; i < old.capacity; i++)
        if (old.slots[i].bytes)
            *find_slot(&grown, old.slots[i].unit) = old.slots[i];
    free(old.slots);
    *overlay = grown;
    return true;
}

bool overlay_write(struct overlay *overlay, const void *bytes, size_t len, uint64_t off)
{
    if (len % OVERLAY_UNIT != 0 || off % OVERLAY_UNIT != 0)
        return false;
    for (size_t done = 0; done < len; done += OVERLAY_UNIT) {
        if (!grow_table(overlay))
            return false;
        uint64_t unit = (off + done) / OVERLAY_UNIT;
        struct overlay_slot *slot = find_slot(overlay, unit);
        if (!slot->bytes) {
            if (overlay->count == OVERLAY_MAX)
                return false;
            slot->bytes = malloc(OVERLAY_UNIT);
            if (!slot->bytes)
                return false;
            slot->unit = unit;
            overlay->count++;
        }
        memcpy(slot->bytes, (const unsigned char *)bytes + done, OVERLAY_UNIT);
    }
    return true;
}

void overlay_read(const struct overlay *overlay, void *bytes, size_t len, uint64_t off)
{
    if (overlay->count == 0)
        return;
    for (uint64_t unit = off / OVERLAY_UNIT; unit * OVERLAY_UNIT < off + len; unit++) {
        const struct overlay_slot *slot = find_slot(overlay, unit);
        if (!slot->bytes)
            continue;
        uint64_t from = unit * OVERLAY_UNIT, to = from + OVERLAY_UNIT;
        uint64_t first = from < off ? off : from, last = to > off + len ? off + len : to;
        memcpy((unsigned char *)bytes + (first - off), slot->bytes + (first - from), (size_t)(last - first));
    }
}

/* Empties a slot, and moves later slots of the same probe run up into the gap. */
static void empty_slot(struct overlay *overlay, size_t at)
{
    size_t mask = overlay->capacity - 1;
    free(overlay->slots[at].bytes);
    for (size_t next = (at + 1) & mask; overlay->slots[next].bytes; next = (next + 1) & mask) {
        size_t from = home(overlay, overlay->slots[next].unit);
        if (((next - from) & mask) < ((next - at) & mask)) /* its home is after the gap: leave it */
            continue;
        overlay->slots[at] = overlay->slots[next];
        at = next;
    }
    overlay->slots[at] = (struct overlay_slot){0};
    overlay->count--;
}

void overlay_drop(struct overlay *overlay, uint64_t len, uint64_t off)
{
    uint64_t first = off / OVERLAY_UNIT, units = len / OVERLAY_UNIT;
    if (overlay->count == 0)
        return;
    if (units < overlay->capacity) {
        for (uint64_t i = 0; i < units; i++) {
            const struct overlay_slot *slot = find_slot(overlay, first + i);
            if (slot->bytes)
                empty_slot(overlay, (size_t)(slot - overlay->slots));
        }
        return;
    }
    for (size_t at = 0; at < overlay->capacity;) {
        const struct overlay_slot *slot = &overlay->slots[at];
        if (slot->bytes && slot->unit >= first && slot->unit - first < units)
            empty_slot(overlay, at); /* another slot may have moved here: check it next */
        else
            at++;
    }
}

void overlay_free(struct overlay *overlay)
{
    for (size_t i = 0; i < overlay->capacity; i++)
        free(overlay->slots[i].bytes);
    free(overlay->slots);
    *overlay = (struct overlay){0};
}
