#include "daemon/control/descriptors.h"

#include <string.h>

/* A FileDescriptorSet, made by the build. */
extern const uint8_t sw_descriptor_set[];
extern const size_t sw_descriptor_set_len;

/* Numbers of descriptor.proto. */
enum {
    SET_FILE = 1,
    FILE_NAME = 1,
    FILE_PACKAGE = 2,
    FILE_IMPORT = 3,
    FILE_MESSAGE = 4,
    FILE_ENUM = 5,
    FILE_SERVICE = 6
};
enum { ITEM_NAME = 1, ITEM_INNER_METHOD = 2, MESSAGE_NESTED = 3, MESSAGE_ENUM = 4 };

struct span {
    const uint8_t *at, *end;
};

static uint64_t take_varint(struct span *s)
{
    uint64_t value = 0;

    for (int shift = 0; s->at < s->end; shift += 7) {
        uint8_t byte = *s->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            break;
    }
    return value;
}

/* The next field with a length, and its number; those without (only varints there) are passed over. */
static bool next_field(struct span *s, unsigned *number, struct span *value)
{
    while (s->at < s->end) {
        uint64_t tag = take_varint(s), n = take_varint(s);
        if ((tag & 7) != 2)
            continue;
        *number = (unsigned)(tag >> 3);
        *value = (struct span){s->at, s->at + n};
        s->at += n;
        return true;
    }
    return false;
}

/* The next field of one number. */
static bool next_of(struct span *s, unsigned wanted, struct span *value)
{
    unsigned number;

    while (next_field(s, &number, value))
        if (number == wanted)
            return true;
    return false;
}

static bool is_text(struct span s, const char *text, size_t len)
{
    return (size_t)(s.end - s.at) == len && memcmp(s.at, text, len) == 0;
}

static bool has_name(struct span item, unsigned field, const char *name, size_t len)
{
    struct span value;
    return next_of(&item, field, &value) && is_text(value, name, len);
}

/* Whether a path of names within the package, "Objects.List" or "Outer.Inner", is in this item. */
static bool item_has(struct span item, const char *path)
{
    size_t len = strcspn(path, ".");
    struct span inner;
    unsigned number;

    if (!has_name(item, ITEM_NAME, path, len))
        return false;
    if (path[len] == '\0')
        return true;
    while (next_field(&item, &number, &inner))
        if ((number == ITEM_INNER_METHOD || number == MESSAGE_NESTED || number == MESSAGE_ENUM) &&
            item_has(inner, path + len + 1))
            return true;
    return false;
}

static bool file_has(struct span file, const char *symbol)
{
    struct span at = file, package, item;
    unsigned number;

    if (!next_of(&at, FILE_PACKAGE, &package))
        return false;
    size_t len = (size_t)(package.end - package.at);
    if (strncmp(symbol, (const char *)package.at, len) != 0 || symbol[len] != '.')
        return false;
    while (next_field(&file, &number, &item))
        if ((number == FILE_MESSAGE || number == FILE_ENUM || number == FILE_SERVICE) &&
            item_has(item, symbol + len + 1))
            return true;
    return false;
}

static struct span whole_set(void)
{
    return (struct span){sw_descriptor_set, sw_descriptor_set + sw_descriptor_set_len};
}

static struct sw_proto_file as_file(struct span s)
{
    return (struct sw_proto_file){s.at, (size_t)(s.end - s.at)};
}

static bool find_name(const char *name, size_t len, struct sw_proto_file *file)
{
    struct span set = whole_set(), at;

    while (next_of(&set, SET_FILE, &at))
        if (has_name(at, FILE_NAME, name, len)) {
            *file = as_file(at);
            return true;
        }
    return false;
}

bool sw_descriptors_by_name(const char *name, struct sw_proto_file *file)
{
    return find_name(name, strlen(name), file);
}

bool sw_descriptors_by_symbol(const char *symbol, struct sw_proto_file *file)
{
    struct span set = whole_set(), at;

    while (next_of(&set, SET_FILE, &at))
        if (file_has(at, symbol)) {
            *file = as_file(at);
            return true;
        }
    return false;
}

static bool is_among(const struct sw_proto_file *files, size_t count, const struct sw_proto_file *file)
{
    for (size_t i = 0; i < count; i++)
        if (files[i].bytes == file->bytes)
            return true;
    return false;
}

size_t sw_descriptors_with_imports(const struct sw_proto_file *file, struct sw_proto_file *files, size_t cap)
{
    size_t count = 1;

    files[0] = *file;
    for (size_t i = 0; i < count; i++) {
        struct span at = {files[i].bytes, files[i].bytes + files[i].len}, name;
        struct sw_proto_file import;
        while (next_of(&at, FILE_IMPORT, &name)) {
            if (!find_name((const char *)name.at, (size_t)(name.end - name.at), &import) ||
                is_among(files, count, &import))
                continue;
            if (count == cap)
                return 0;
            files[count++] = import;
        }
    }
    return count;
}
