/*
 * Preloaded into a spillwayd: its next malloc of STARVE_LEAST to STARVE_MOST bytes finds no memory, once, after the
 * file STARVE_FILE has appeared; the file is removed then.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

static size_t limit(const char *name)
{
    const char *text = getenv(name);

    return text ? strtoul(text, NULL, 10) : 0;
}

static bool starves(size_t bytes)
{
    const char *file = getenv("STARVE_FILE");

    return file && bytes >= limit("STARVE_LEAST") && bytes <= limit("STARVE_MOST") && unlink(file) == 0;
}

__attribute__((visibility("default"))) void *malloc(size_t bytes)
{
    static void *(*real)(size_t bytes);

    if (!real)
        real = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
    return starves(bytes) ? NULL : real(bytes);
}
