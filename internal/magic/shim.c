#include "shim.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

// The library's stable interface (libmagic(3)), version 1 of its ABI.
enum {
	FLAG_NO_CHECK_COMPRESS = 0x0001000, // never run a decompressor
	FLAG_NO_CHECK_ELF = 0x0010000,      // it wants a file, and memory is no file
};

enum { PARAM_INDIR_MAX, PARAM_NAME_MAX, PARAM_ELF_PHNUM_MAX, PARAM_ELF_SHNUM_MAX, PARAM_ELF_NOTES_MAX, PARAM_REGEX_MAX, PARAM_BYTES_MAX, PARAM_ENCODING_MAX };

static struct {
	void *lib;
	void *(*open)(int);
	void (*close)(void *);
	int (*load)(void *, const char *);
	const char *(*buffer)(void *, const void *, size_t);
	const char *(*error)(void *);
	int (*setparam)(void *, int, const void *);
	int (*version)(void);
} api;

const char *sluice_magic_library(const char *name) {
	static const char *missing[] = {"magic_open", "magic_close", "magic_load", "magic_buffer", "magic_error", "magic_setparam"};
	void *found[6];
	if (api.lib)
		return NULL;
	void *lib = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	if (!lib)
		return dlerror();
	for (int i = 0; i < 6; i++) {
		if (!(found[i] = dlsym(lib, missing[i]))) {
			dlclose(lib);
			return missing[i];
		}
	}
	memcpy(&api.open, &found[0], sizeof found[0]);
	memcpy(&api.close, &found[1], sizeof found[0]);
	memcpy(&api.load, &found[2], sizeof found[0]);
	memcpy(&api.buffer, &found[3], sizeof found[0]);
	memcpy(&api.error, &found[4], sizeof found[0]);
	memcpy(&api.setparam, &found[5], sizeof found[0]);
	void *version = dlsym(lib, "magic_version");
	memcpy(&api.version, &version, sizeof version);
	api.lib = lib;
	return NULL;
}

int sluice_magic_version(void) { return api.version ? api.version() : 0; }

void *sluice_magic_open(const char *path, size_t bytes, char *why, size_t why_len) {
	void *h = api.open(FLAG_NO_CHECK_COMPRESS | FLAG_NO_CHECK_ELF);
	if (!h) {
		snprintf(why, why_len, "out of memory");
		return NULL;
	}
	// What a version does not know it refuses; its own bound stays. Expressions take
	// time in the square of theirs where a hostile text has nothing but short lines:
	// 10 ms with this one, 60 with four times it. What it costs is telling some
	// sources in C, after long comments, from other text.
	const struct {
		int param;
		size_t value;
	} bounds[] = {
	    {PARAM_INDIR_MAX, 15},       {PARAM_NAME_MAX, 100},  {PARAM_ELF_PHNUM_MAX, 0}, {PARAM_ELF_SHNUM_MAX, 0},
	    {PARAM_ELF_NOTES_MAX, 0},    {PARAM_REGEX_MAX, 1024}, {PARAM_BYTES_MAX, bytes}, {PARAM_ENCODING_MAX, bytes},
	};
	for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++)
		api.setparam(h, bounds[i].param, &bounds[i].value);
	if (api.load(h, path)) {
		const char *e = api.error(h);
		snprintf(why, why_len, "%s", e ? e : "unknown error");
		api.close(h);
		return NULL;
	}
	return h;
}

void sluice_magic_close(void *handle) { api.close(handle); }

long sluice_magic_describe(void *handle, const void *data, size_t len, char *out, size_t out_len) {
	const char *s = api.buffer(handle, data, len);
	if (!s)
		return -1;
	size_t n = strnlen(s, out_len);
	memcpy(out, s, n);
	return (long)n;
}
