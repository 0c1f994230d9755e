/* A guest that boots at once: a boot sector that writes to the serial port.
 *
 * In:    the text; what to do after it.
 * Out:   a disk of 1 MiB, in memory, as a descriptor that the caller closes. The boot sector also copies
 *        itself to the second sector.
 * Fails: by ending the test.
 */
#ifndef BAKE_TESTS_SUPPORT_LIB_SECTOR_H
#define BAKE_TESTS_SUPPORT_LIB_SECTOR_H

enum sector_after { SECTOR_HALT, SECTOR_RESET };

int sector_disk(const char *text, enum sector_after after);

#endif
