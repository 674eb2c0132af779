#include "client/cli/explain.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

char *sw_text_defuse(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p != 0; p++) {
        if (*p < 0x20 || *p == 0x7f)
            *p = '?';
        else if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
            p[0] = p[1] = '?';
    }
    return text;
}

int sw_error_explain(struct sw_error *err, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    sw_text_defuse(err->text);
    err->status = status;
    err->retry_after_ms = 0;
    return status;
}

int sw_error_locate(struct sw_error *err, const char *what)
{
    struct sw_error inner = *err;
    /* A long name keeps its end, where names differ; the sentence after it matters more than either. */
    size_t len = strlen(what);
    const char *tail = len > SW_LOCATION_BYTES ? what + len - SW_LOCATION_BYTES : what;
    sw_error_explain(err, inner.status, "%s%s: %s", tail == what ? "" : "...", tail, inner.text);
    err->retry_after_ms = inner.retry_after_ms;
    return err->status;
}

int sw_error_system(struct sw_error *err, const char *what)
{
    int number = errno;
    char text[128];
    sw_error_explain(err, -number, "%s", strerror_r(number, text, sizeof text));
    return sw_error_locate(err, what);
}
