/* What every unit test includes: cmocka with the headers it needs, in the order it needs. */
#ifndef VP_UNIT_H
#define VP_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#endif
