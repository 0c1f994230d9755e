/* A container image of one layer as an OCI image layout in one tar: what `ctr images import` reads.
 *
 * In:    the layer (a tar), the name of the image, its command.
 * Out:   the bytes of the tar: oci-layout, index.json, blobs/sha256/HEX for manifest, configuration and
 *        layer. The same image gives the same bytes.
 * Fails: ERR_INTERNAL when memory runs out.
 * Never: compresses the layer: it is a few KiB, and without compression its digest is also its "diff ID".
 * Source: opencontainers/image-spec v1.0: image-layout.md, image-index.md, manifest.md, config.md,
 *        annotations.md; io.containerd.image.name: containerd, images/annotations.go.
 */
#ifndef BAKE_OCI_LAYOUT_H
#define BAKE_OCI_LAYOUT_H

#include "base/buf.h"

/* Strings go into JSON unescaped: printable ASCII without quotes and backslashes. */
struct oci_image {
    const char *name;         /* "bake.local/pause:1" */
    const char *architecture; /* Go's name: "amd64" */
    const char *entrypoint;   /* one absolute path */
    const char *path;         /* the variable PATH */
    const void *layer;        /* a tar */
    size_t layer_size;
};

must_check int oci_layout(const struct oci_image *image, struct buf *ret, struct err *err);

#endif
