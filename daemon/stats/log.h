/*
 * Log lines in logfmt to stderr: `time=... level=info msg="..." key=value`. One write per line; any thread. Values that
 * come from outside (names, paths) go through SW_LOG's %s arguments and are quoted and escaped by the logger.
 */
#ifndef SW_STATS_LOG_H
#define SW_STATS_LOG_H

enum sw_log_level { SW_LOG_DEBUG, SW_LOG_INFO, SW_LOG_WARNING, SW_LOG_ERROR };

/* Lines below this level are not written. Set once, before threads start. */
void sw_log_set_level(enum sw_log_level level);

/* The level of this name ("info"), or -1. */
int sw_log_level_parse(const char *name);

/*
 * sw_log(SW_LOG_INFO, "listening", "endpoint", path, "mode", "0600", NULL): a message, then keys and values as strings,
 * ended by NULL.
 */
void sw_log(enum sw_log_level level, const char *message, ...) __attribute__((sentinel));

/* Numbers for sw_log's values: the text lies in `buffer`, which is returned. */
#define SW_LOG_NUMBER_CAP 24
const char *sw_log_u64(char buffer[SW_LOG_NUMBER_CAP], unsigned long long value);

#endif
