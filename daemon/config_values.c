#include "daemon/config_values.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A non-negative decimal number; *end is what follows it. */
static bool read_number(const char *text, double *number, const char **end)
{
    char *after;

    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    *number = strtod(text, &after);
    *end = after;
    return errno == 0 && isfinite(*number);
}

static bool size_unit(const char *unit, double *factor)
{
    static const char letters[] = "KMGT";

    *factor = 1;
    if (unit[0] == '\0')
        return true;
    const char *letter = strchr(letters, toupper((unsigned char)unit[0]));
    if (!letter)
        return false;
    for (const char *l = letters; l <= letter; l++)
        *factor *= 1024;
    return unit[1] == '\0' || strcmp(unit + 1, "B") == 0 || strcmp(unit + 1, "iB") == 0;
}

bool sw_value_size(const char *text, uint64_t *bytes)
{
    double number, factor;
    const char *unit;

    if (!read_number(text, &number, &unit) || !size_unit(unit, &factor))
        return false;
    if (number * factor >= 0x1p56)
        return false;
    *bytes = (uint64_t)(number * factor);
    return true;
}

bool sw_value_duration(const char *text, uint32_t *ms)
{
    static const struct {
        const char *unit;
        double ms;
    } units[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    const char *unit;
    double number;

    if (!read_number(text, &number, &unit))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(unit, units[i].unit) == 0 && number * units[i].ms <= UINT32_MAX) {
            *ms = (uint32_t)(number * units[i].ms);
            return true;
        }
    return false;
}

static bool read_port(const char *text, uint16_t *port)
{
    char *end;

    if (!isdigit((unsigned char)text[0]))
        return false;
    unsigned long value = strtoul(text, &end, 10);
    if (*end || value > UINT16_MAX)
        return false;
    *port = (uint16_t)value;
    return true;
}

static bool is_address(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* HOST:PORT without its brackets, into host. */
static bool read_host(const char *text, size_t len, char host[SW_CONFIG_HOST_CAP])
{
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    if (len >= SW_CONFIG_HOST_CAP)
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    if (strcmp(host, "localhost") == 0)
        strcpy(host, "127.0.0.1");
    return is_address(host);
}

bool sw_value_tcp(const char *text, char host[SW_CONFIG_HOST_CAP], uint16_t *port)
{
    if (strcmp(text, "none") == 0) {
        host[0] = '\0';
        *port = 0;
        return true;
    }
    if (strncmp(text, "tcp:", 4) == 0)
        text += 4;
    const char *colon = strrchr(text, ':');
    if (!colon) {
        snprintf(host, SW_CONFIG_HOST_CAP, "127.0.0.1");
        return read_port(text, port);
    }
    return read_host(text, (size_t)(colon - text), host) && read_port(colon + 1, port);
}

bool sw_value_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* A name of digits alone is a uid: no system makes users of such names. The last uid means none. */
static bool uid_of(const char *text, uint32_t *uid)
{
    char *end;

    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end || errno != 0 || n >= UINT32_MAX)
        return false;
    *uid = (uint32_t)n;
    return true;
}

bool sw_value_user(const char *text, uint32_t *uid)
{
    if (uid_of(text, uid))
        return true;
    const struct passwd *user = getpwnam(text);
    if (user)
        *uid = user->pw_uid;
    return user != NULL;
}
