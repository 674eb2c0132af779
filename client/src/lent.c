#include "client/src/lent.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/src/error.h"

/* A multiple of every value's size. */
#define WINDOW_BYTES (256u * 1024u)

int sw_lent_guard(struct sw_lent *lent, struct sw_error *err)
{
    void *window = MAP_FAILED;

    lent->fd = memfd_create("spillway", MFD_CLOEXEC);
    if (lent->fd >= 0 && ftruncate(lent->fd, WINDOW_BYTES) == 0)
        window = mmap(NULL, WINDOW_BYTES, PROT_READ, MAP_SHARED, lent->fd, 0);
    if (window == MAP_FAILED)
        return sw_error_set(err, -errno, "no memory for looking at the tensor: %s", strerror(errno));
    lent->window = window;
    return 0;
}

void sw_lent_finish(struct sw_lent *lent)
{
    if (lent->window)
        munmap((void *)(uintptr_t)lent->window, WINDOW_BYTES);
    if (lent->fd >= 0)
        close(lent->fd);
}

int sw_lent_piece(const struct sw_lent *lent, uint64_t first, const void **piece, size_t *count, struct sw_error *err)
{
    const char *at = (const char *)lent->data + first * lent->value_bytes;
    uint64_t left = lent->values - first, most = WINDOW_BYTES / lent->value_bytes;

    if (!lent->window) {
        *piece = at;
        *count = left;
        return 0;
    }
    size_t n = left < most ? (size_t)left : (size_t)most;
    ssize_t copied = pwrite(lent->fd, at, n * lent->value_bytes, 0);
    if (copied != (ssize_t)(n * lent->value_bytes))
        return sw_error_set(err, -EFAULT,
                            "the memory of this put was unmapped before it was sent: lend it until the end");
    *piece = lent->window;
    *count = n;
    return 0;
}
