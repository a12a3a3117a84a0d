/* The version of this build: `git describe` when it was made. */
#ifndef VP_VERSION_H
#define VP_VERSION_H

extern const char version_text[];

#endif
