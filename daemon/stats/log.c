#include "daemon/stats/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = {"debug", "info", "warning", "error"};
#define LEVEL_COUNT (sizeof level_names / sizeof level_names[0])

static enum sw_log_level least = SW_LOG_INFO;

/* A line is built here and written at once, so that lines of several threads do not mix. Longer ones are cut. */
struct line {
    char text[2048];
    size_t len;
};

void sw_log_set_level(enum sw_log_level level)
{
    least = level;
}

int sw_log_level_parse(const char *name)
{
    for (size_t i = 0; i < LEVEL_COUNT; i++)
        if (strcmp(level_names[i], name) == 0)
            return (int)i;
    return -1;
}

static void append(struct line *line, char c)
{
    if (line->len < sizeof line->text - 1) /* the last byte stays for the newline */
        line->text[line->len++] = c;
}

static void append_text(struct line *line, const char *text)
{
    for (; *text; text++)
        append(line, *text);
}

static bool needs_quotes(const char *value)
{
    if (*value == '\0')
        return true;
    for (; *value; value++)
        if ((unsigned char)*value <= ' ' || *value == '"' || *value == '=' || *value == '\\' || *value == 0x7f)
            return true;
    return false;
}

/* Quoted where logfmt needs it; control characters become \xNN, so that a hostile name cannot forge a line. */
static void append_value(struct line *line, const char *value)
{
    if (!needs_quotes(value)) {
        append_text(line, value);
        return;
    }
    append(line, '"');
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;
        if (c < ' ' || c == 0x7f) {
            char escaped[5];
            snprintf(escaped, sizeof escaped, "\\x%02x", c);
            append_text(line, escaped);
            continue;
        }
        if (c == '"' || c == '\\')
            append(line, '\\');
        append(line, *value);
    }
    append(line, '"');
}

static void append_time(struct line *line)
{
    struct timespec now;
    struct tm utc;
    char text[40];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t n = strftime(text, sizeof text, "time=%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + n, sizeof text - n, ".%03ldZ", now.tv_nsec / 1000000);
    append_text(line, text);
}

void sw_log(enum sw_log_level level, const char *message, ...)
{
    struct line line = {.len = 0};
    va_list pairs;
    const char *key;

    if (level < least)
        return;
    append_time(&line);
    append_text(&line, " level=");
    append_text(&line, level_names[level]);
    append_text(&line, " msg=");
    append_value(&line, message);

    va_start(pairs, message);
    while ((key = va_arg(pairs, const char *)) != NULL) {
        const char *value = va_arg(pairs, const char *);
        append(&line, ' ');
        append_text(&line, key);
        append(&line, '=');
        append_value(&line, value ? value : "");
    }
    va_end(pairs);
    line.text[line.len++] = '\n';
    /* Nobody can be told when stderr does not take it. */
    ssize_t written = write(STDERR_FILENO, line.text, line.len);
    (void)written;
}

const char *sw_log_u64(char buffer[SW_LOG_NUMBER_CAP], unsigned long long value)
{
    snprintf(buffer, SW_LOG_NUMBER_CAP, "%llu", value);
    return buffer;
}
