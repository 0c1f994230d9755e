/* What Go's linker writes into a program: its main package and the modules that it was built from.
 *
 * In:    an ELF file, of Go 1.18 or later.
 * Out:   lines: "path\tPACKAGE", "mod\tMODULE\tVERSION\tSUM", "dep\t...", "=>\t..." (what replaces the line
 * above). Fails: ERR_VERIFY for a damaged ELF file. A file without the information gives no text: it is of
 * another language, or of an older Go. Source: Go, src/debug/buildinfo/buildinfo.go,
 * src/runtime/debug/mod.go.
 */
#ifndef BAKE_KUBE_PROGRAM_BUILDINFO_H
#define BAKE_KUBE_PROGRAM_BUILDINFO_H

#include "base/buf.h"
#include "kube/program/number.h"
#include "kube/program/elf.h"

enum { BUILDINFO_MAX = 1 << 20 };

/* Appends the text to RET, whose cap should be BUILDINFO_MAX. */
must_check int buildinfo_read(const struct elf *elf, struct buf *ret, struct err *err);

/* The version of MODULE, the main one or a dependency. False when it is not among them, or without a version:
 * "(devel)", or made up from a commit. */
bool buildinfo_version(const struct buf *text, const char *module, struct kube_number *ret);
/* Whether the main package is MODULE's: MODULE itself or below it. */
bool buildinfo_is(const struct buf *text, const char *module);

#endif
