/*
 * Runs a fuzz target over files, once each: how its corpus is a plain test, with any compiler. Directories stand for
 * the files in them.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a target has to say of the corpus as a whole, if it has: 0, or how much it misses. */
__attribute__((weak)) int fuzz_conclude(void);

static size_t inputs;

static void die(const char *path)
{
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    exit(1);
}

/* The target gets memory of exactly the file's size, so that a sanitizer sees a read past it. */
static void file_run(const char *path, size_t size)
{
    uint8_t *data = malloc(size);
    FILE *file = fopen(path, "rb");

    if (file == NULL || (size > 0 && data == NULL) || fread(data, 1, size, file) != size)
        die(path);
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    inputs++;
}

static void path_run(const char *path);

static void directory_run(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    char inner[4096];

    if (dir == NULL)
        die(path);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        path_run(inner);
    }
    closedir(dir);
}

static void path_run(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        die(path);
    if (S_ISDIR(st.st_mode))
        directory_run(path);
    else
        file_run(path, (size_t)st.st_size);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        path_run(argv[i]);
    printf("%zu inputs\n", inputs);
    /* A corpus that was not found would pass without having tested anything. */
    if (inputs == 0)
        return 1;
    return fuzz_conclude != NULL && fuzz_conclude() != 0;
}
