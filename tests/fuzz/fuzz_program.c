/* A payload's program from hostile bytes: its ELF header, the loader that it names, its build information. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/blob.h"
#include "kube/program/buildinfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const struct blob blob = {.memory = len > 0 ? (const void *)bytes : "", .fd = -1, .size = len};
    const struct program program = program_of_blob(&blob);
    struct err err = {0};
    struct elf elf;
    struct kube_number number = {0};
    char interp[ELF_INTERP_CAP], name[ELF_MACHINE_CAP], text[KUBE_NUMBER_CAP];
    cleanup_buf struct buf info = BUF_INIT(BUILDINFO_MAX);
    if (elf_read(&program, &elf, &err) < 0)
        return 0;
    elf_machine_name(elf.machine, name);
    if (elf_interp(&elf, interp, &err) == 0 && strlen(interp) >= sizeof interp)
        abort();
    if (buildinfo_read(&elf, &info, &err) < 0)
        return 0;
    if (buildinfo_version(&info, "k8s.io/kubernetes", &number) && number.parts == 0)
        abort();
    (void)buildinfo_is(&info, "k8s.io/kubernetes");
    kube_number_text(&number, text);
    return 0;
}
