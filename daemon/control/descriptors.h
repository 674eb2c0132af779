/*
 * The files of all services, as protoc describes them; built in. They are our own bytes and taken as well-formed.
 */
#ifndef SW_CONTROL_DESCRIPTORS_H
#define SW_CONTROL_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A FileDescriptorProto. */
struct sw_proto_file {
    const uint8_t *bytes;
    size_t len;
};

/* The file of this name ("control.proto"). */
bool sw_descriptors_by_name(const char *name, struct sw_proto_file *file);

/* The file that says what this is: "spillway.v1.Objects", "spillway.v1.Objects.List", "spillway.v1.ObjectInfo". */
bool sw_descriptors_by_symbol(const char *symbol, struct sw_proto_file *file);

/* A file and all that it imports, itself first. Returns how many; 0: more than cap. */
size_t sw_descriptors_with_imports(const struct sw_proto_file *file, struct sw_proto_file *files, size_t cap);

#endif
