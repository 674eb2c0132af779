#include "client/cli/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* mkstemp would make the file private; open lets the user's umask decide, as for any file. */
static int open_temporary(struct sw_outfile *file)
{
    unsigned salt;
    if (getrandom(&salt, sizeof salt, 0) != sizeof salt)
        return -1;
    if (asprintf(&file->temporary, "%s.%08x.tmp", file->path, salt) < 0) {
        file->temporary = NULL;
        return -1;
    }
    return open(file->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

int sw_outfile_create(const char *path, struct sw_outfile *file, struct sw_error *err)
{
    struct stat st;
    *file = (struct sw_outfile){.fd = -1, .path = path};
    if (strcmp(path, "-") == 0) {
        file->path = "standard output";
        file->fd = dup(STDOUT_FILENO);
    } else if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        file->fd = open(path, O_WRONLY | O_CLOEXEC);
    } else {
        file->fd = open_temporary(file);
    }
    if (file->fd >= 0)
        return 0;
    int rc = sw_error_system(err, path);
    free(file->temporary);
    return rc;
}

int sw_outfile_write(struct sw_outfile *file, const void *bytes, size_t len, struct sw_error *err)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t put = write(file->fd, at, len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return sw_error_system(err, file->path);
        at += put;
        len -= (size_t)put;
    }
    return 0;
}

int sw_outfile_map(struct sw_outfile *file, size_t len, uint8_t **map, struct sw_error *err)
{
    if (file->temporary == NULL)
        return sw_error_explain(err, SW_INVALID, "%s is no regular file, and this needs one", file->path);
    int rc = posix_fallocate(file->fd, 0, (off_t)len);
    if (rc == 0) {
        void *where = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
        if (where != MAP_FAILED) {
            *map = where;
            return 0;
        }
        rc = errno;
    }
    errno = rc;
    return sw_error_system(err, file->path);
}

/* A rename is on disk only once its directory is. */
static int sync_directory(const char *path)
{
    char *copy = strdup(path);
    int fd = copy == NULL ? -1 : open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 ? -1 : fsync(fd);
    if (fd >= 0)
        close(fd);
    free(copy);
    return rc;
}

/* The content must be on disk before the name is: after a crash a name without its content would look like a file. */
int sw_outfile_commit(struct sw_outfile *file, struct sw_error *err)
{
    int rc = 0;
    if (file->temporary != NULL &&
        (fsync(file->fd) < 0 || rename(file->temporary, file->path) < 0 || sync_directory(file->path) < 0))
        rc = sw_error_system(err, file->path);
    if (rc < 0) {
        sw_outfile_discard(file);
        return rc;
    }
    free(file->temporary);
    file->temporary = NULL;
    if (close(file->fd) < 0)
        rc = sw_error_system(err, file->path);
    return rc;
}

void sw_outfile_discard(struct sw_outfile *file)
{
    if (file->temporary != NULL)
        unlink(file->temporary);
    free(file->temporary);
    file->temporary = NULL;
    close(file->fd);
}
