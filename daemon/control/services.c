#include "daemon/control/services.h"

#include <string.h>

const struct sw_service *const sw_services[] = {
    &sw_service_policies,
    &sw_service_runs,
    &sw_service_objects,
    &sw_service_statistics,
    &sw_service_exchange,
    &sw_service_health,
    &sw_service_reflection,
    &sw_service_reflection_alpha,
    NULL,
};

const char *sw_service_name(const struct sw_service *service)
{
    return service->name ? service->name : service->descriptor->name;
}

static const struct sw_service *find_service(const char *name, size_t len)
{
    for (const struct sw_service *const *s = sw_services; *s; s++)
        if (strlen(sw_service_name(*s)) == len && memcmp(sw_service_name(*s), name, len) == 0)
            return *s;
    return NULL;
}

bool sw_services_find(const char *path, size_t len, const struct sw_method **method,
                      const ProtobufCMethodDescriptor **descriptor)
{
    const char *slash = len > 0 && path[0] == '/' ? memchr(path + 1, '/', len - 1) : NULL;

    if (!slash)
        return false;
    const struct sw_service *service = find_service(path + 1, (size_t)(slash - path - 1));
    size_t name_len = len - (size_t)(slash + 1 - path);
    for (unsigned i = 0; service && i < service->descriptor->n_methods; i++) {
        const ProtobufCMethodDescriptor *m = &service->descriptor->methods[i];
        if (strlen(m->name) != name_len || memcmp(m->name, slash + 1, name_len) != 0)
            continue;
        *method = &service->methods[i];
        *descriptor = m;
        return true;
    }
    return false;
}
