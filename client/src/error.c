#include "client/src/error.h"

#include <stdarg.h>
#include <stdio.h>

int sw_error_set(struct sw_error *err, int status, const char *format, ...)
{
    if (!err)
        return status;

    err->status = status;
    err->retry_after_ms = 0;
    if (!format) {
        snprintf(err->text, sizeof err->text, "%s", sw_status_text(status));
        return status;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return status;
}

int sw_error_give(struct sw_error *err, const struct sw_error *from)
{
    if (err)
        *err = *from;
    return from->status;
}
