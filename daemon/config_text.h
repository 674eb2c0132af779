/*
 * The text of a configuration file as the parser wants it.
 */
#ifndef SW_DAEMON_CONFIG_TEXT_H
#define SW_DAEMON_CONFIG_TEXT_H

/* Longer ones are no configuration. */
#define SW_CONFIG_TEXT_BYTES (1024u * 1024u)

/*
 * Reads a file, with blanks in place of its comments: libConfuse 3.3 counts a line with a comment as several, and then
 * names the wrong line when something is wrong. 0 and the text, NUL-terminated, to be freed; or -errno (-EFBIG: too
 * long, -EILSEQ: holds a NUL).
 */
int sw_config_text_read(const char *path, char **text);

/* Blanks out #, // and C comments, but for their newlines; not within quotes. */
void sw_config_text_blank_comments(char *text);

#endif
