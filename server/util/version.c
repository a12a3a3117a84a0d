/* Its own file, so that a new commit recompiles this one only. */
#include "util/version.h"

#ifndef VP_VERSION
#define VP_VERSION "unknown"
#endif

const char version_text[] = VP_VERSION;
