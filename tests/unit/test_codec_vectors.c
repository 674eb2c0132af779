/* Containers of earlier days must stay readable: each golden file decodes to the bytes whose digest SUMS has. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <xxhash.h>

#include "codec_pack.h"

#define MAX_FILE_BYTES (1 << 20)

/* VECTORS_DIR/name, whole; the caller frees. */
static unsigned char *file_read(const char *name, size_t *len)
{
    unsigned char *bytes = malloc(MAX_FILE_BYTES);
    char path[4096];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", VECTORS_DIR, name);
    file = fopen(path, "rb");
    assert_non_null(file);
    assert_non_null(bytes);
    *len = fread(bytes, 1, MAX_FILE_BYTES, file);
    assert_true(*len > 0 && *len < MAX_FILE_BYTES);
    fclose(file);
    return bytes;
}

static void assert_decodes_to(const char *name, uint64_t digest)
{
    size_t len;
    unsigned char *bytes = file_read(name, &len), *values;
    struct sw_container c;

    if (sw_container_parse(bytes, len, &c, NULL, 0) != 0)
        fail_msg("%s: no container", name);
    values = malloc(c.raw_bytes + 1);
    assert_non_null(values);
    if (unpack(bytes, len, values, c.raw_bytes) != 0 || XXH3_64bits(values, c.raw_bytes) != digest)
        fail_msg("%s: does not decode to what it did", name);
    free(values);
    free(bytes);
}

static void test_golden_files(void **state)
{
    size_t len, at = 0, files = 0;
    char *sums = (char *)file_read("SUMS", &len);

    (void)state;
    sums[len] = '\0';
    while (at < len) {
        uint64_t digest;
        char name[256];
        int used;

        assert_int_equal(sscanf(sums + at, "%16" SCNx64 " %255s%n", &digest, name, &used), 2);
        assert_decodes_to(name, digest);
        at += (size_t)used + 1;
        files++;
    }
    assert_true(files > 50);
    free(sums);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
