// The narrow C side of package magic: libmagic is looked for when it is first
// needed, so that the program starts without it.
#ifndef SLUICE_MAGIC_SHIM_H
#define SLUICE_MAGIC_SHIM_H

#include <stddef.h>

// sluice_magic_library loads the library, once; it is not safe for concurrent
// use. It gives NULL, or why it cannot be loaded.
const char *sluice_magic_library(const char *name);

// sluice_magic_version gives the library's version, 0 where it does not tell.
int sluice_magic_version(void);

// sluice_magic_open makes a handle with the database at path, NULL for the
// library's own. Where that fails it gives NULL and puts the reason into why.
void *sluice_magic_open(const char *path, size_t bytes, char *why, size_t why_len);
void sluice_magic_close(void *handle);

// sluice_magic_describe puts the description of data into out, cut at out_len, and
// gives its length; -1 where the library fails.
long sluice_magic_describe(void *handle, const void *data, size_t len, char *out, size_t out_len);

#endif
