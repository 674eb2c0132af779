#include "daemon/config_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Behind a quoted string: past its closing quote, or at the text's end. */
static char *skip_quoted(char *at)
{
    char quote = *at++;

    while (*at && *at != quote)
        at += at[0] == '\\' && at[1] ? 2 : 1;
    return *at ? at + 1 : at;
}

static char *blank(char *from, char *to)
{
    for (; from < to; from++)
        if (*from != '\n')
            *from = ' ';
    return to;
}

/* The end of the comment that starts here, or `at` when none does. */
static char *comment_end(char *at)
{
    if (at[0] == '#' || (at[0] == '/' && at[1] == '/'))
        return at + strcspn(at, "\n");
    if (at[0] != '/' || at[1] != '*')
        return at;
    char *end = strstr(at + 2, "*/");
    return end ? end + 2 : at + strlen(at);
}

void sw_config_text_blank_comments(char *text)
{
    while (*text) {
        char *end = comment_end(text);
        if (end > text)
            text = blank(text, end);
        else if (*text == '"' || *text == '\'')
            text = skip_quoted(text);
        else
            text++;
    }
}

int sw_config_text_read(const char *path, char **out)
{
    int rc = 0;
    char *text = malloc(SW_CONFIG_TEXT_BYTES + 1);
    FILE *f = fopen(path, "re");

    if (!text || !f) {
        rc = -errno;
        goto out;
    }
    size_t n = fread(text, 1, SW_CONFIG_TEXT_BYTES + 1, f);
    if (ferror(f))
        rc = -errno;
    else if (n > SW_CONFIG_TEXT_BYTES)
        rc = -EFBIG;
    else if (memchr(text, '\0', n))
        rc = -EILSEQ;
    if (rc < 0)
        goto out;
    text[n] = '\0';
    sw_config_text_blank_comments(text);
    *out = text;
    text = NULL;

out:
    if (f)
        fclose(f);
    free(text);
    return rc;
}
