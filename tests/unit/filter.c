/* UNIT_TEST=PATTERN runs only the tests of a program whose names match it (`*` and `?`), as the
 * planted faults do: each names the one test that must turn red. */
#include "unit.h"

__attribute__((constructor)) static void run_only_named(void)
{
    const char *pattern = getenv("UNIT_TEST");
    if (pattern != NULL)
        cmocka_set_test_filter(pattern);
}
