/* Runs only the cases whose names contain BAKE_TEST_CASE (make unit T=pack/store C=damaged). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

__attribute__((constructor)) static void choose_cases(void)
{
    static char pattern[256]; /* cmocka keeps the pointer */
    const char *part = getenv("BAKE_TEST_CASE");
    if (!part || !*part)
        return;
    snprintf(pattern, sizeof pattern, "*%s*", part);
    cmocka_set_test_filter(pattern);
}
