/* A container image of one layer as an OCI image layout in one tar: what `ctr images import` reads.
 *
 * In:    the layer (a tar), the image's name, its command.
 * Out:   the bytes of the tar: oci-layout, index.json, blobs/sha256/HEX for manifest, configuration and layer. The same
 *        image gives the same bytes.
 * Fails: ERR_INTERNAL when memory runs out.
 * Never: compresses the layer: what it is for is a few KiB, and then its digest and its "diff id" are one.
 * Source: opencontainers/image-spec v1.0: image-layout.md, image-index.md, manifest.md, config.md, annotations.md;
 *        io.containerd.image.name: containerd, images/annotations.go.
 */
#ifndef BAKE_OCI_LAYOUT_H
#define BAKE_OCI_LAYOUT_H

#include "base/buf.h"

/* All strings are put into JSON as they are: printable ASCII without quotes and backslashes. */
struct oci_image {
    const char *name;         /* "bake.local/pause:1" */
    const char *architecture; /* Go's name: "amd64" */
    const char *entrypoint;   /* one absolute path */
    const char *path;         /* of PATH */
    const void *layer;        /* a tar */
    size_t layer_size;
};

must_check int oci_layout(const struct oci_image *image, struct buf *ret, struct err *err);

#endif
