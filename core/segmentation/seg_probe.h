/*
 * Stretches of a segmentation network's ONNX graph that are not matched but computed on probes:
 * exporters spell reshaping, initial states and sinc filters in many ways. Each call marks what
 * took part as used. Any thread; the graph has one owner.
 */
#ifndef VP_SEG_PROBE_H
#define VP_SEG_PROBE_H

#include "loader/onnx/onnx_graph.h"

enum seg_order {
    SEG_ORDER_NCT,  /* [windows, channels, time]: convolutions */
    SEG_ORDER_TNC,  /* [time, windows, channels]: what an LSTM reads */
    SEG_ORDER_TDNC, /* [time, 2, windows, channels]: what it gives, by direction */
    SEG_ORDER_NTC   /* [windows, time, channels]: linear layers; both directions side by side */
};

/* Is `to` nothing but `from` in another order? n_channels are those of `from`. VP_ERR_MODEL. */
enum vp_status seg_probe_order(const struct onnx_graph *graph, size_t from, enum seg_order in,
                               size_t to, enum seg_order out, size_t n_channels,
                               struct vp_err *err) VP_MUST_CHECK;

/* Is value, a state of an LSTM, zero for whatever the convolutions (at conv, NCT) give? */
enum vp_status seg_probe_zeros(const struct onnx_graph *graph, size_t value, size_t conv,
                               size_t n_channels, struct vp_err *err) VP_MUST_CHECK;

/* The two vectors [n_filters / 2, 1] from which the filters at value are built, borrowed. */
enum vp_status seg_probe_sinc(const struct onnx_graph *graph, size_t value,
                              const struct tensor **low_hz, const struct tensor **band_hz,
                              struct vp_err *err) VP_MUST_CHECK;

#endif
