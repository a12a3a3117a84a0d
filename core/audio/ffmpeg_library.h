/*
 * libavformat and what it is made of, loaded when the first recording asks for it: Debian's build
 * brings 117 packages along, and costs a program that is linked with it a quarter of a second and
 * 24 MiB at every start. One that lacks it decodes all the rest. Any thread.
 */
#ifndef VP_FFMPEG_LIBRARY_H
#define VP_FFMPEG_LIBRARY_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/log.h>
#include <libavutil/mem.h>

/* What is called of libavformat, libavcodec and libavutil. */
#define FFMPEG_FUNCTIONS(F)                                                                        \
    F(av_find_input_format)                                                                        \
    F(av_frame_alloc)                                                                              \
    F(av_frame_free)                                                                               \
    F(av_free)                                                                                     \
    F(av_log_set_level)                                                                            \
    F(av_malloc)                                                                                   \
    F(av_max_alloc)                                                                                \
    F(av_packet_alloc)                                                                             \
    F(av_packet_free)                                                                              \
    F(av_packet_get_side_data)                                                                     \
    F(av_packet_unref)                                                                             \
    F(av_read_frame)                                                                               \
    F(av_sample_fmt_is_planar)                                                                     \
    F(av_strdup)                                                                                   \
    F(avcodec_alloc_context3)                                                                      \
    F(avcodec_find_decoder_by_name)                                                                \
    F(avcodec_free_context)                                                                        \
    F(avcodec_get_name)                                                                            \
    F(avcodec_open2)                                                                               \
    F(avcodec_parameters_to_context)                                                               \
    F(avcodec_receive_frame)                                                                       \
    F(avcodec_send_packet)                                                                         \
    F(avformat_alloc_context)                                                                      \
    F(avformat_close_input)                                                                        \
    F(avformat_open_input)                                                                         \
    F(avio_alloc_context)                                                                          \
    F(avio_context_free)

struct ffmpeg_library {
#define FFMPEG_MEMBER(name) __typeof__(name) *name;
    FFMPEG_FUNCTIONS(FFMPEG_MEMBER)
#undef FFMPEG_MEMBER
};

#define FFMPEG_TEXT(number)    #number
#define FFMPEG_MAJOR(number)   FFMPEG_TEXT(number)
#define FFMPEG_LIBRARY_VERSION FFMPEG_MAJOR(LIBAVFORMAT_VERSION_MAJOR)

/* The functions, of the version whose headers this was built with; silent, and with a bound on what
 * they allocate at once. NULL: not installed. Static. */
const struct ffmpeg_library *ffmpeg_library(void);

#endif
