/*
 * Steps of a walk along the edges of an ONNX graph, for those who match its nodes one by one: what
 * has been looked at is marked as used, and what is left over at the end has no explanation. Any
 * thread; the graph has one owner.
 */
#ifndef VP_ONNX_WALK_H
#define VP_ONNX_WALK_H

#include "loader/onnx/onnx_graph.h"

/* Is it a node, and of that kind? */
bool onnx_walk_is(const struct onnx_node *node, const char *op);

/* The node that gives value, if it is of that kind; else VP_ERR_MODEL says what was needed. */
enum vp_status onnx_walk_expect(const struct onnx_graph *graph, size_t value, const char *op,
                                struct onnx_node **out, struct vp_err *err) VP_MUST_CHECK;

/* The value behind Identity nodes and casts to float, which are marked as used. */
size_t onnx_walk_source(const struct onnx_graph *graph, size_t value);

/* A constant behind such nodes, marked as used; NULL when the value is none. Borrowed. */
struct tensor *onnx_walk_constant(const struct onnx_graph *graph, size_t value);

/* Refuses attributes beyond those listed ("axis keepdims"), and a number of inputs or outputs
 * outside the bounds; marks the node as used. VP_ERR_MODEL names the node. */
enum vp_status onnx_walk_use(struct onnx_node *node, const char *attributes, size_t min_inputs,
                             size_t max_inputs, struct vp_err *err) VP_MUST_CHECK;

/* The node of that kind that gives *value, with n_inputs inputs and no attributes beyond those
 * listed; it counts as used, and *value becomes what it reads first. VP_ERR_MODEL names the node.
 */
enum vp_status onnx_walk_back(const struct onnx_graph *graph, size_t *value, const char *op,
                              const char *attributes, size_t n_inputs,
                              struct vp_err *err) VP_MUST_CHECK;

/* Refuses a graph with a node or tensor that nobody has marked: VP_ERR_MODEL names it. */
enum vp_status onnx_walk_all_used(const struct onnx_graph *graph, struct vp_err *err) VP_MUST_CHECK;

#endif
