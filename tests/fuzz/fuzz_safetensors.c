/*
 * Any bytes as a safetensors file: parsing is memory-safe, what it accepts lies within the bytes, and writing that anew
 * gives a header that reads the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(int holds)
{
    if (!holds)
        abort();
}

static void check_places(const struct sw_safetensors *file, const uint8_t *end)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < file->count; i++) {
        const struct sw_safetensors_entry *entry = &file->entries[i];
        check(entry->offset <= file->data_bytes && entry->bytes <= file->data_bytes - entry->offset);
        check(entry->bytes <= (uint64_t)(end - (file->data + entry->offset)));
        check(sw_safetensors_find(file, entry->name) == entry);
        bytes += entry->bytes;
    }
    check(bytes == file->data_bytes);
}

static void check_same(const struct sw_safetensors *a, const struct sw_safetensors *b)
{
    check(a->count == b->count);
    for (size_t i = 0; i < b->count; i++) {
        const struct sw_safetensors_entry *was = sw_safetensors_find(a, b->entries[i].name), *is = &b->entries[i];
        check(was != NULL && was->bytes == is->bytes);
        check(was->tensor.dtype == is->tensor.dtype && was->tensor.ndim == is->tensor.ndim);
        check(memcmp(was->tensor.shape, is->tensor.shape, sizeof is->tensor.shape) == 0);
        check(memcmp(a->data + was->offset, b->data + is->offset, is->bytes) == 0);
    }
    check(a->metadata == NULL ? b->metadata == NULL : json_equal((json_t *)a->metadata, (json_t *)b->metadata));
}

/* The file that our writer makes of these tensors, read again. */
static void write_and_read(const struct sw_safetensors *file)
{
    struct sw_safetensors again;
    struct sw_error err;
    uint64_t data_bytes;
    size_t head_bytes;
    char *head;
    struct sw_safetensors_entry *entries = calloc(file->count + 1, sizeof *entries);
    check(entries != NULL);
    for (size_t i = 0; i < file->count; i++) {
        entries[i] = file->entries[i];
        entries[i].tag = i;
    }
    sw_safetensors_arrange(entries, file->count, &data_bytes);
    check(sw_safetensors_head(entries, file->count, (json_t *)file->metadata, &head, &head_bytes, &err) == 0);
    check(head_bytes % 8 == 0 && data_bytes == file->data_bytes);
    uint8_t *whole = malloc(head_bytes + data_bytes);
    check(whole != NULL);
    memcpy(whole, head, head_bytes);
    for (size_t i = 0; i < file->count; i++)
        memcpy(whole + head_bytes + entries[i].offset, file->data + file->entries[entries[i].tag].offset,
               entries[i].bytes);
    check(sw_safetensors_parse(whole, head_bytes + data_bytes, &again, &err) == 0);
    check_same(file, &again);
    sw_safetensors_close(&again);
    free(whole);
    free(head);
    free(entries);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct sw_safetensors file;
    struct sw_error err = {0};
    if (sw_safetensors_parse(bytes, len, &file, &err) < 0) {
        check(err.status < 0 && err.text[0] != 0);
        return 0;
    }
    check_places(&file, bytes + len);
    write_and_read(&file);
    sw_safetensors_close(&file);
    return 0;
}
