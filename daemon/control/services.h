/* Every service, and where to find a method. */
#ifndef SW_CONTROL_SERVICES_H
#define SW_CONTROL_SERVICES_H

#include "daemon/control/call.h"

extern const struct sw_service sw_service_policies;
extern const struct sw_service sw_service_runs;
extern const struct sw_service sw_service_objects;
extern const struct sw_service sw_service_statistics;
extern const struct sw_service sw_service_exchange;
extern const struct sw_service sw_service_health;
extern const struct sw_service sw_service_reflection;
extern const struct sw_service sw_service_reflection_alpha;

/* NULL at the end. */
extern const struct sw_service *const sw_services[];

const char *sw_service_name(const struct sw_service *service);

/* The method of a path such as "/spillway.v1.Objects/List". False: there is none. */
bool sw_services_find(const char *path, size_t len, const struct sw_method **method,
                      const ProtobufCMethodDescriptor **descriptor);

#endif
