/* The parts of an ELF file that say what it is, of any class, byte order and machine.
 *
 * In:    a program's file, which may be hostile.
 * Out:   its header; the places of sections and segments; the loader that it names.
 * Fails: ERR_VERIFY: an ELF file that is cut short, or whose tables are not inside it.
 * Source: elf(5); System V ABI, chapters 4 and 5.
 */
#ifndef BAKE_KUBE_PROGRAM_ELF_H
#define BAKE_KUBE_PROGRAM_ELF_H

#include <stdbool.h>

#include "kube/program/program.h"

enum { ELF_TABLE_MAX = 512 /* headers of each kind */, ELF_INTERP_CAP = 256 };

struct elf {
    const struct program *program;
    bool is_elf;                 /* else the rest is 0 */
    bool wide, big;              /* 64 bits; big-endian */
    unsigned machine;            /* EM_X86_64, ... */
    uint64_t segments, sections; /* offsets of the tables */
    unsigned segment_count, section_count;
    unsigned names; /* the section with the names of sections */
};

/* Bytes of the file; SIZE 0: there is no such part. */
struct elf_range {
    uint64_t off, size;
};

must_check int elf_read(const struct program *program, struct elf *ret, struct err *err);
must_check int elf_section(const struct elf *elf, const char *name, struct elf_range *ret, struct err *err);
/* The first loaded segment that may be written. */
must_check int elf_data(const struct elf *elf, struct elf_range *ret, struct err *err);
/* The loader that a dynamically linked program names; "" for a static one. */
must_check int elf_interp(const struct elf *elf, char ret[static ELF_INTERP_CAP], struct err *err);

/* "x86-64", "arm64", "another machine (EM 99)": for messages. */
enum { ELF_MACHINE_CAP = 32 };
const char *elf_machine_name(unsigned machine, char ret[static ELF_MACHINE_CAP]);

#endif
