/*
 * Statuses: 0 is success; everything else is negative. -1 .. -4095 are -errno from the system, -5000 and below are from
 * status.def, the one list of our own.
 */
#ifndef SPILLWAY_STATUS_H
#define SPILLWAY_STATUS_H

enum sw_status {
#define SW_STATUS(name, number, cls, grpc, text) SW_##name = (number),
#include <spillway/status.def>
#undef SW_STATUS
};

enum sw_status_class {
    SW_CLASS_OK,
    SW_CLASS_CORRUPT,
    SW_CLASS_USAGE,
    SW_CLASS_ABSENT,
    SW_CLASS_RETRY,
    SW_CLASS_FULL,
    SW_CLASS_CLOSED,
    SW_CLASS_INTERNAL,
};

#if defined(__GNUC__)
#define SW_API __attribute__((visibility("default"))) /* as in dtype.h: what the shared library shows */
#else
#define SW_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* "NOT_FOUND"; for -errno the system's name ("ENOENT"); "UNKNOWN" for a number nobody defined. Static memory. */
SW_API const char *sw_status_name(int status);

/* A sentence for people. Static memory; never NULL. */
SW_API const char *sw_status_text(int status);

/* What a caller can do about it. System errors count as INTERNAL. */
SW_API enum sw_status_class sw_status_class(int status);

#ifdef __cplusplus
}
#endif

#endif
