#include "kube/cage/native.h"

#include <elf.h>
#include <string.h>

enum { SEGMENTS_MAX = 256 };

#if defined(__x86_64__)
enum { MACHINE = EM_X86_64 };
#elif defined(__aarch64__)
enum { MACHINE = EM_AARCH64 };
#else
enum { MACHINE = EM_NONE };
#endif

/* Both architectures above are little-endian, and so is what this reads. */
static bool is_native(const Elf64_Ehdr *head)
{
    return MACHINE != EM_NONE && head->e_ident[EI_CLASS] == ELFCLASS64 &&
           head->e_ident[EI_DATA] == ELFDATA2LSB && head->e_machine == MACHINE;
}

/* Does a segment name a loader? False in *ret_ok: the table lies outside of the file. */
static int find_loader(const struct blob *program, const Elf64_Ehdr *head, bool *ret_ok, bool *ret,
                       struct err *err)
{
    Elf64_Phdr segments[SEGMENTS_MAX];
    size_t count = head->e_phnum, size = count * sizeof *segments;
    *ret_ok = *ret = false;
    if (head->e_phentsize != sizeof *segments || count == 0 || count > SEGMENTS_MAX ||
        head->e_phoff > program->size || size > program->size - head->e_phoff)
        return 0;
    if (blob_read(program, segments, size, head->e_phoff, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        *ret = *ret || segments[i].p_type == PT_INTERP;
    *ret_ok = true;
    return 0;
}

int native_read(const struct blob *program, struct native_facts *ret, struct err *err)
{
    Elf64_Ehdr head;
    struct native_facts made = {.kind = NATIVE_NOT_ELF};
    if (program->size >= sizeof head) {
        bool ok = false;
        if (blob_read(program, &head, sizeof head, 0, err) < 0)
            return -1;
        if (memcmp(head.e_ident, ELFMAG, SELFMAG) == 0)
            made.kind = is_native(&head) ? NATIVE_HERE : NATIVE_FOREIGN;
        if (made.kind == NATIVE_HERE && find_loader(program, &head, &ok, &made.dynamic, err) < 0)
            return -1;
        if (made.kind == NATIVE_HERE && !ok)
            made.kind = NATIVE_NOT_ELF;
    }
    *ret = made;
    return 0;
}
