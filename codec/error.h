/*
 * What codec functions return: 0, or one of these. The numbers are those of proto/status.def, which holds the texts
 * (proto/status.c asserts that they agree), so a caller may hand them on as they are.
 */
#ifndef SW_CODEC_ERROR_H
#define SW_CODEC_ERROR_H

enum sw_codec_error {
    SW_CODEC_CORRUPT = -5001,     /* container bytes that no encoder makes, or a checksum that does not hold */
    SW_CODEC_UNSUPPORTED = -5002, /* a container version, flag, mode or parameter newer than this code */
    SW_CODEC_INVALID = -5010,     /* the caller's arguments contradict each other: dtype, shape, plan, sizes */
    SW_CODEC_NO_SPACE = -5011,    /* the output buffer is smaller than the documented bound */
};

#endif
