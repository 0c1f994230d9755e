#include "kube/cage/native.h"

#include <elf.h>

#include "kube/program/elf.h"

#if defined(__x86_64__)
enum { MACHINE = EM_X86_64 };
#elif defined(__aarch64__)
enum { MACHINE = EM_AARCH64 };
#else
enum { MACHINE = EM_NONE };
#endif

static int read_elf(const struct program *program, struct native_facts *made, struct err *err)
{
    struct elf elf;
    char loader[ELF_INTERP_CAP];
    if (elf_read(program, &elf, err) < 0)
        return -1;
    if (!elf.is_elf)
        return 0;
    if (elf_interp(&elf, loader, err) < 0)
        return -1;
    bool here = MACHINE != EM_NONE && elf.wide && !elf.big && elf.machine == MACHINE;
    *made = (struct native_facts){.kind = here ? NATIVE_HERE : NATIVE_FOREIGN, .dynamic = loader[0] != '\0'};
    return 0;
}

int native_read(const struct blob *program, struct native_facts *ret, struct err *err)
{
    const struct program file = program_of_blob(program);
    struct native_facts made = {.kind = NATIVE_NOT_ELF};
    if (read_elf(&file, &made, err) < 0 && err->kind != ERR_VERIFY)
        return -1;
    *ret = made;
    return 0;
}
