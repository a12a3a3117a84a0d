/*
 * The options of a diarization, judged and turned into rules. Pure functions; any thread.
 */
#ifndef VP_DIARIZE_OPTIONS_H
#define VP_DIARIZE_OPTIONS_H

#include "cluster/cluster.h"
#include "diarization.h"

/* VP_ERR_ARGUMENT names the option that makes no sense, or needs a segmentation network that is not
 * there (NULL). */
enum vp_status options_check(const struct vp_diarize_options *options,
                             const vp_segmentation *segmentation, struct vp_err *err) VP_MUST_CHECK;

/* The clusters that the options allow; threshold is a cosine. */
struct cluster_rules options_cluster_rules(const struct vp_diarize_options *options,
                                           double threshold);

#endif
