#include "policies/error.h"

#include <stdarg.h>
#include <stdio.h>

#include <spillway/status.h>

#include "policies/utf8.h"

/* Control characters and broken UTF-8, as a cut within a character leaves it, become '?'. */
static void defuse(char *text)
{
    while (*text != '\0') {
        uint32_t code;
        size_t len = sw_utf8_read(text, &code);
        if (len == 0 || !sw_utf8_printable(code)) {
            *text = '?';
            len = 1;
        }
        text += len;
    }
}

__attribute__((format(printf, 2, 0))) static void fill(struct sw_policy_error *error, const char *format, va_list args)
{
    vsnprintf(error->text, sizeof error->text, format, args);
    defuse(error->text);
}

int sw_policy_refuse(struct sw_policy_error *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(error, format, args);
    va_end(args);
    error->line = error->column = 0;
    return SW_INVALID;
}

int sw_policy_refuse_at(struct sw_policy_error *error, int line, int column, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(error, format, args);
    va_end(args);
    error->line = line;
    error->column = column;
    return SW_INVALID;
}
