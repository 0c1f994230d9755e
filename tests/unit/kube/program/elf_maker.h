/* Makes small ELF files with Go's build information, of both classes and byte orders. */
#ifndef BAKE_TESTS_UNIT_KUBE_PROGRAM_ELF_MAKER_H
#define BAKE_TESTS_UNIT_KUBE_PROGRAM_ELF_MAKER_H

#include <elf.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"

struct elf_spec {
    bool narrow, big;
    unsigned machine;   /* 0: x86-64 */
    const char *interp; /* or NULL */
    const char *info;   /* lines of the build information, or NULL */
    bool no_sections;   /* as sstrip leaves it */
    const char *names;  /* instead of info: the names of functions */
};

static inline void elf_number(struct buf *to, const struct elf_spec *spec, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)(value >> 8 * (spec->big ? size - 1 - i : i));
        buf_add(to, &byte, 1);
    }
}

static inline void elf_varint(struct buf *to, size_t value)
{
    for (; value >= 0x80; value >>= 7) {
        unsigned char byte = (unsigned char)(value | 0x80);
        buf_add(to, &byte, 1);
    }
    unsigned char last = (unsigned char)value;
    buf_add(to, &last, 1);
}

static inline void elf_info(struct buf *to, const struct elf_spec *spec)
{
    static const char go[] = "go1.26.4", mark[16] = "0123456789abcde";
    char head[32] = "\xff Go buildinf:";
    head[14] = spec->narrow ? 4 : 8;
    head[15] = (char)(2 | spec->big);
    buf_add(to, head, sizeof head);
    elf_varint(to, strlen(go));
    buf_str(to, go);
    elf_varint(to, strlen(spec->info) + 32);
    buf_add(to, mark, 16);
    buf_str(to, spec->info);
    buf_add(to, mark, 16);
}

/* One header of a segment or section, whose fields' order differs by class. */
static inline void elf_segment(struct buf *to, const struct elf_spec *spec, unsigned type, uint64_t off,
                               uint64_t size)
{
    unsigned word = spec->narrow ? 4 : 8, rights = type == PT_LOAD ? PF_R | PF_W : PF_R;
    elf_number(to, spec, type, 4);
    if (!spec->narrow)
        elf_number(to, spec, rights, 4);
    const uint64_t fields[] = {off, 0x400000 + off, 0x400000 + off, size, size};
    for (size_t i = 0; i < 5; i++)
        elf_number(to, spec, fields[i], word);
    if (spec->narrow)
        elf_number(to, spec, rights, 4);
    elf_number(to, spec, 16, word);
}

static inline void elf_section_header(struct buf *to, const struct elf_spec *spec, unsigned name,
                                      unsigned type, uint64_t off, uint64_t size)
{
    unsigned word = spec->narrow ? 4 : 8;
    elf_number(to, spec, name, 4);
    elf_number(to, spec, type, 4);
    const uint64_t fields[] = {0, 0, off, size};
    for (size_t i = 0; i < 4; i++)
        elf_number(to, spec, fields[i], word);
    elf_number(to, spec, 0, 8); /* link and info */
    elf_number(to, spec, 16, word);
    elf_number(to, spec, 0, word);
}

static inline void elf_make(const struct elf_spec *spec, struct buf *to)
{
    static const char names[] = "\0.go.buildinfo\0.shstrtab\0.gopclntab";
    unsigned word = spec->narrow ? 4 : 8, header = spec->narrow ? 52 : 64;
    cleanup_buf struct buf info = BUF_INIT(1 << 20);
    if (spec->info)
        elf_info(&info, spec);
    else if (spec->names)
        buf_str(&info, spec->names);
    size_t interp_len = spec->interp ? strlen(spec->interp) + 1 : 0;
    size_t interp_at = header + 2 * (spec->narrow ? 32u : 56u),
           info_at = (interp_at + interp_len + 15) / 16 * 16, names_at = info_at + info.len,
           sections_at = names_at + sizeof names;
    const unsigned char ident[16] = {0x7f,
                                     'E',
                                     'L',
                                     'F',
                                     spec->narrow ? ELFCLASS32 : ELFCLASS64,
                                     spec->big ? ELFDATA2MSB : ELFDATA2LSB,
                                     EV_CURRENT};
    buf_add(to, ident, sizeof ident);
    elf_number(to, spec, ET_EXEC, 2);
    elf_number(to, spec, spec->machine ? spec->machine : EM_X86_64, 2);
    elf_number(to, spec, EV_CURRENT, 4);
    elf_number(to, spec, 0x400000, word);
    elf_number(to, spec, header, word);
    elf_number(to, spec, spec->no_sections ? 0 : sections_at, word);
    elf_number(to, spec, 0, 4);
    const unsigned halves[] = {
        header, spec->narrow ? 32 : 56, 2, spec->narrow ? 40 : 64, spec->no_sections ? 0 : 3, 2};
    for (size_t i = 0; i < 6; i++)
        elf_number(to, spec, halves[i], 2);
    elf_segment(to, spec, spec->interp ? PT_INTERP : PT_NOTE, interp_at, interp_len);
    elf_segment(to, spec, PT_LOAD, info_at, info.len);
    buf_add(to, spec->interp ? spec->interp : "", interp_len);
    while (to->len < info_at && !to->failed)
        buf_add(to, "", 1);
    buf_add(to, info.len ? info.data : "", info.len);
    buf_add(to, names, sizeof names);
    elf_section_header(to, spec, 0, SHT_NULL, 0, 0);
    elf_section_header(to, spec, spec->info ? 1 : 25, SHT_PROGBITS, info_at, info.len);
    elf_section_header(to, spec, 15, SHT_STRTAB, names_at, sizeof names);
}

#endif
