#include <spillway/status.h>

#include <string.h>

#include "codec/error.h"

_Static_assert(SW_CORRUPT == (int)SW_CODEC_CORRUPT, "codec and wire share their numbers");
_Static_assert(SW_UNSUPPORTED == (int)SW_CODEC_UNSUPPORTED, "codec and wire share their numbers");
_Static_assert(SW_INVALID == (int)SW_CODEC_INVALID, "codec and wire share their numbers");
_Static_assert(SW_NO_SPACE_IN_BUFFER == (int)SW_CODEC_NO_SPACE, "codec and wire share their numbers");

static const struct {
    int number;
    enum sw_status_class cls;
    const char *name;
    const char *text;
} statuses[] = {
#define SW_STATUS(name, number, cls, grpc, text) {number, SW_CLASS_##cls, #name, text},
#include <spillway/status.def>
#undef SW_STATUS
};

#define STATUS_COUNT (sizeof statuses / sizeof statuses[0])
#define ERRNO_LIMIT 4095

const char *sw_status_name(int status)
{
    for (size_t i = 0; i < STATUS_COUNT; i++)
        if (statuses[i].number == status)
            return statuses[i].name;
    const char *system = status < 0 && status >= -ERRNO_LIMIT ? strerrorname_np(-status) : NULL;
    return system ? system : "UNKNOWN";
}

const char *sw_status_text(int status)
{
    for (size_t i = 0; i < STATUS_COUNT; i++)
        if (statuses[i].number == status)
            return statuses[i].text;
    const char *system = status < 0 && status >= -ERRNO_LIMIT ? strerrordesc_np(-status) : NULL;
    return system ? system : "an unknown status";
}

enum sw_status_class sw_status_class(int status)
{
    for (size_t i = 0; i < STATUS_COUNT; i++)
        if (statuses[i].number == status)
            return statuses[i].cls;
    return SW_CLASS_INTERNAL;
}
