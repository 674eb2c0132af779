#include "client/cli/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int map_file(int fd, size_t len, struct sw_blob *blob)
{
    blob->len = len;
    /* mmap refuses an empty range, and an empty file is a tensor of no values. */
    if (len == 0)
        return 0;
    void *map = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return -1;
    blob->bytes = blob->map = map;
    return 0;
}

/* A pipe does not tell its length: memory doubles as it fills. */
static int read_to_end(int fd, struct sw_blob *blob)
{
    size_t cap = 0;
    for (;;) {
        if (blob->len == cap) {
            cap = cap == 0 ? 1 << 20 : 2 * cap;
            void *grown = realloc(blob->heap, cap);
            if (grown == NULL)
                return -1;
            blob->bytes = blob->heap = grown;
        }
        ssize_t got = read(fd, (char *)blob->heap + blob->len, cap - blob->len);
        if (got == 0)
            return 0;
        if (got > 0)
            blob->len += (size_t)got;
        else if (errno != EINTR)
            return -1;
    }
}

int sw_blob_open(const char *path, struct sw_blob *blob, struct sw_error *err)
{
    struct stat st;
    bool standard = strcmp(path, "-") == 0;
    int rc = 0;
    memset(blob, 0, sizeof *blob);
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return sw_error_system(err, path);
    bool regular = !standard && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    if ((regular ? map_file(fd, (size_t)st.st_size, blob) : read_to_end(fd, blob)) < 0) {
        rc = sw_error_system(err, standard ? "standard input" : path);
        sw_blob_close(blob);
    }
    if (!standard)
        close(fd);
    return rc;
}

int sw_blob_allocate(size_t len, struct sw_blob *blob, struct sw_error *err)
{
    memset(blob, 0, sizeof *blob);
    blob->heap = malloc(len > 0 ? len : 1);
    if (blob->heap == NULL)
        return sw_error_explain(err, SW_NO_MEMORY, "%zu bytes of memory are not to be had", len);
    blob->bytes = blob->heap;
    blob->len = len;
    return 0;
}

void sw_blob_close(struct sw_blob *blob)
{
    free(blob->heap);
    if (blob->map != NULL)
        munmap(blob->map, blob->len);
    memset(blob, 0, sizeof *blob);
}
