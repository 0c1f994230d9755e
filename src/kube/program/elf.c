#include "kube/program/elf.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

#include "io/blob.h"
#include "text/bytes.h"

enum { NAME_CAP = 32 };

/* A field's offset in the headers of 64 and of 32 bits. Its size there is that of an address, unless it is
 * FIXED. */
struct field {
    unsigned char wide, narrow, fixed;
};

static int read_blob(const void *ctx, void *bytes, size_t len, uint64_t off, struct err *err)
{
    return blob_read(ctx, bytes, len, off, err);
}

struct program program_of_blob(const struct blob *blob)
{
    return (struct program){.size = blob->size, .read = read_blob, .ctx = blob};
}

/* LEN bytes, AT bytes behind OFF. */
static int read_at(const struct elf *elf, void *bytes, size_t len, uint64_t off, uint64_t at, struct err *err)
{
    uint64_t size = elf->program->size;
    if (off > size || at > size - off || len > size - off - at)
        return err_set(err, ERR_VERIFY, 0, "a damaged ELF file: what its header names is not in it");
    return elf->program->read(elf->program->ctx, bytes, len, off + at, err);
}

static uint64_t number_of(const struct elf *elf, const unsigned char *at, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value = value << 8 | at[elf->big ? i : size - 1 - i];
    return value;
}

static uint64_t field_of(const struct elf *elf, const unsigned char *header, struct field field)
{
    unsigned size = field.fixed ? field.fixed : elf->wide ? 8 : 4;
    return number_of(elf, header + (elf->wide ? field.wide : field.narrow), size);
}

static int read_tables(struct elf *elf, const unsigned char *header, struct err *err)
{
    static const struct field segments = {32, 28, 0}, sections = {40, 32, 0}, segment_size = {54, 42, 2},
                              segment_count = {56, 44, 2}, section_size = {58, 46, 2},
                              section_count = {60, 48, 2}, names = {62, 50, 2};
    elf->machine = (unsigned)number_of(elf, header + 18, 2);
    elf->segments = field_of(elf, header, segments);
    elf->sections = field_of(elf, header, sections);
    elf->segment_count = (unsigned)field_of(elf, header, segment_count);
    elf->section_count = (unsigned)field_of(elf, header, section_count);
    elf->names = (unsigned)field_of(elf, header, names);
    if (elf->segment_count > ELF_TABLE_MAX || elf->section_count > ELF_TABLE_MAX ||
        (elf->segment_count > 0 && field_of(elf, header, segment_size) != (elf->wide ? 56 : 32)) ||
        (elf->section_count > 0 && field_of(elf, header, section_size) != (elf->wide ? 64 : 40)))
        return err_set(err, ERR_VERIFY, 0,
                       "a damaged ELF file: its header names tables of an impossible size");
    return 0;
}

int elf_read(const struct program *program, struct elf *ret, struct err *err)
{
    struct elf made = {.program = program};
    unsigned char header[64] = {0};
    size_t len = program->size < sizeof header ? (size_t)program->size : sizeof header;
    if (program->read(program->ctx, header, len, 0, err) < 0)
        return -1;
    made.is_elf = len >= 4 && memcmp(header, "\177ELF", 4) == 0;
    if (made.is_elf) {
        made.wide = header[4] == ELFCLASS64;
        made.big = header[5] == ELFDATA2MSB;
        if (len < (made.wide ? 64u : 52u) || (!made.wide && header[4] != ELFCLASS32) ||
            (!made.big && header[5] != ELFDATA2LSB))
            return err_set(err, ERR_VERIFY, 0, "a damaged ELF file: its header is incomplete");
        if (read_tables(&made, header, err) < 0)
            return -1;
    }
    *ret = made;
    return 0;
}

static int read_section(const struct elf *elf, unsigned i, struct elf_range *ret, uint32_t *ret_name,
                        struct err *err)
{
    static const struct field off = {24, 16, 0}, size = {32, 20, 0};
    unsigned char header[64];
    unsigned len = elf->wide ? 64 : 40;
    if (read_at(elf, header, len, elf->sections, (uint64_t)i * len, err) < 0)
        return -1;
    *ret_name = (uint32_t)number_of(elf, header, 4);
    bool empty = number_of(elf, header + 4, 4) == SHT_NOBITS;
    *ret = (struct elf_range){field_of(elf, header, off), empty ? 0 : field_of(elf, header, size)};
    return 0;
}

static int has_name(const struct elf *elf, const struct elf_range *names, uint32_t at, const char *name,
                    bool *ret, struct err *err)
{
    char found[NAME_CAP];
    size_t len = strlen(name) + 1;
    *ret = false;
    if (len > sizeof found || at > names->size || len > names->size - at)
        return 0;
    if (read_at(elf, found, len, names->off, at, err) < 0)
        return -1;
    *ret = memcmp(found, name, len) == 0;
    return 0;
}

static int check_range(const struct elf *elf, const struct elf_range *range, struct err *err)
{
    if (range->off > elf->program->size || range->size > elf->program->size - range->off)
        return err_set(err, ERR_VERIFY, 0, "a damaged ELF file: it is cut short");
    return 0;
}

int elf_section(const struct elf *elf, const char *name, struct elf_range *ret, struct err *err)
{
    struct elf_range names = {0}, section = {0};
    uint32_t at;
    *ret = (struct elf_range){0};
    if (elf->names >= elf->section_count)
        return 0;
    if (read_section(elf, elf->names, &names, &at, err) < 0)
        return -1;
    for (unsigned i = 0; i < elf->section_count; i++) {
        bool same = false;
        if (read_section(elf, i, &section, &at, err) < 0 || has_name(elf, &names, at, name, &same, err) < 0)
            return -1;
        if (!same)
            continue;
        if (check_range(elf, &section, err) < 0)
            return -1;
        *ret = section;
        return 0;
    }
    return 0;
}

/* The first segment of TYPE whose flags include FLAGS. */
static int find_segment(const struct elf *elf, uint32_t type, uint32_t flags, struct elf_range *ret,
                        struct err *err)
{
    static const struct field off = {8, 4, 0}, size = {32, 16, 0}, rights = {4, 24, 4};
    unsigned char header[56];
    unsigned len = elf->wide ? 56 : 32;
    *ret = (struct elf_range){0};
    for (unsigned i = 0; i < elf->segment_count; i++) {
        if (read_at(elf, header, len, elf->segments, (uint64_t)i * len, err) < 0)
            return -1;
        if (number_of(elf, header, 4) != type || (field_of(elf, header, rights) & flags) != flags)
            continue;
        struct elf_range found = {field_of(elf, header, off), field_of(elf, header, size)};
        if (check_range(elf, &found, err) < 0)
            return -1;
        *ret = found;
        return 0;
    }
    return 0;
}

int elf_data(const struct elf *elf, struct elf_range *ret, struct err *err)
{
    return find_segment(elf, PT_LOAD, PF_W, ret, err);
}

int elf_interp(const struct elf *elf, char ret[static ELF_INTERP_CAP], struct err *err)
{
    struct elf_range range;
    if (find_segment(elf, PT_INTERP, 0, &range, err) < 0)
        return -1;
    if (range.size >= ELF_INTERP_CAP)
        return err_set(err, ERR_VERIFY, 0, "a damaged ELF file: the name of its loader is too long");
    if (read_at(elf, ret, (size_t)range.size, range.off, 0, err) < 0)
        return -1;
    ret[range.size] = '\0';
    return 0;
}

const char *elf_machine_name(unsigned machine, char ret[static ELF_MACHINE_CAP])
{
    static const struct {
        unsigned machine;
        const char *name;
    } names[] = {{EM_X86_64, "x86-64"}, {EM_AARCH64, "arm64"}, {EM_386, "x86"},    {EM_ARM, "arm"},
                 {EM_PPC64, "ppc64"},   {EM_S390, "s390x"},    {EM_RISCV, "riscv"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].machine == machine)
            return names[i].name;
    snprintf(ret, ELF_MACHINE_CAP, "machine %u", machine);
    return ret;
}
