/*
 * The pool: n threads that each wait for one job, run it and post it to the mailbox. There is no
 * queue in here: the loop keeps the queue and hands out a job only when a worker is idle, so that
 * deadlines, clients that left and the queue's depth are matters of one thread.
 *
 * A worker without a job may lend its core to a clip that another one has in the network. That is
 * between workers: for the loop it stays idle, and it leaves for the job that the loop hands it.
 */
#ifndef VP_WORKERS_H
#define VP_WORKERS_H

#include "work/mailbox.h"

struct workers;

/* Starts n threads, n_sharing of which may be at one clip. NULL, with errno's sentence in err, when
 * they cannot be had. [start] */
struct workers *workers_start(size_t n, size_t n_sharing, struct mailbox *mailbox,
                              struct vp_err *err);
/* From now on each decodes its clips, of up to n_bytes and n_samples, in a box of its own, and
 * conversations in theirs. Borrows sandbox. False, with a sentence: memory is short. [start] before
 * the first job */
bool workers_give_boxes(struct workers *workers, struct sandbox *sandbox, size_t n_bytes,
                        size_t n_samples, struct vp_err *err) VP_MUST_CHECK;
size_t workers_count(const struct workers *workers); /* [any] */
size_t workers_busy(const struct workers *workers);  /* [loop] */
/* Hands job to an idle worker; there must be one. Takes job until it comes by the mailbox. [loop]
 */
void workers_give(struct workers *workers, struct job *job);
/* Notes that job came back: its worker is idle again. [loop] */
void workers_take_back(struct workers *workers, const struct job *job);
/* How long the oldest running clip job has been running, ns; 0 when none. [loop] */
uint64_t workers_longest_ns(const struct workers *workers, uint64_t now_ns);
/* Asks all to end after what they run and joins them. Jobs may still be in the mailbox. False when
 * one has not ended within timeout_s: then the process must end, and nothing was freed. [loop] */
bool workers_stop(struct workers *workers, double timeout_s) VP_MUST_CHECK;

#endif
