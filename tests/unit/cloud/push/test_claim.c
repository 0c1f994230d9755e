/* Claims: what one image needs of its bucket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cloud/push/claim.h"

static void claims_are_read_strictly(void **state)
{
    (void)state;
    struct err err = {0};
    static const char good[] =
        "{\"format\":1,\"package\":\"p\",\"image\":\"i\",\"family\":\"\",\"segments\":[\"s\"]}";
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"format\":2,\"package\":\"p\",\"image\":\"i\",\"family\":\"\",\"segments\":[]}",
        "{\"format\":1,\"package\":\"p\",\"image\":\"i\",\"family\":\"\",\"segments\":[1]}",
        "{\"format\":1,\"package\":\"p\",\"image\":\"i\",\"segments\":[]}"};
    struct claim claim = {0};
    assert_int_equal(claim_read(good, strlen(good), "c", &claim, &err), 0);
    assert_string_equal(claim.image, "i");
    claim_free(&claim);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(claim_read(bad[i], strlen(bad[i]), "c", &claim, &err), -1);
        assert_int_equal(err.kind, ERR_VERIFY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_are_read_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
