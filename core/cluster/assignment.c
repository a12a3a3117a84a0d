/*
 * The Hungarian method by shortest augmenting paths: rows join one by one, each by the cheapest
 * path of exchanges, found as Dijkstra finds it on reduced costs
 *
 *   c[r][k] - u[r] - v[k] >= 0,   = 0 on assigned pairs          c = -weight
 */
#include "assignment.h"

#include "base/status.h"

#include <math.h>
#include <stdlib.h>

/* Rows are the smaller side. Column 0 is a stand-in that holds the row which is to join. */
struct matching {
    const double *weights;
    size_t n_rows, n_columns;
    size_t row_step, column_step; /* of weights: transposed where rows were the larger side */
    double *u, *v;                /* [n_rows + 1], [n_columns + 1]: potentials */
    double *slack;                /* [n_columns + 1]: cheapest way into a column so far */
    size_t *row_of;               /* [n_columns + 1]: 1-based, 0 is none */
    size_t *from;                 /* [n_columns + 1]: column before this one on the way */
    unsigned char *reached;       /* [n_columns + 1] */
};

static double cost(const struct matching *m, size_t row, size_t column)
{
    return -m->weights[(row - 1) * m->row_step + (column - 1) * m->column_step];
}

/* One step of the search from `column`: the nearest column that is not reached yet. */
static size_t nearest(struct matching *m, size_t column, double *distance)
{
    const size_t row = m->row_of[column];
    size_t best = 0;
    *distance = HUGE_VAL;
    for (size_t k = 1; k <= m->n_columns; k++) {
        if (m->reached[k])
            continue;
        const double reduced = cost(m, row, k) - m->u[row] - m->v[k];
        if (reduced < m->slack[k]) {
            m->slack[k] = reduced;
            m->from[k] = column;
        }
        if (m->slack[k] < *distance) {
            *distance = m->slack[k];
            best = k;
        }
    }
    return best;
}

static void add_row(struct matching *m, size_t row)
{
    for (size_t k = 0; k <= m->n_columns; k++) {
        m->slack[k] = HUGE_VAL;
        m->reached[k] = 0;
    }
    m->row_of[0] = row;
    size_t column = 0;
    do {
        double distance;
        m->reached[column] = 1;
        const size_t next = nearest(m, column, &distance);
        for (size_t k = 0; k <= m->n_columns; k++) {
            if (m->reached[k]) {
                m->u[m->row_of[k]] += distance;
                m->v[k] -= distance;
            } else {
                m->slack[k] -= distance;
            }
        }
        column = next;
    } while (m->row_of[column] != 0);
    while (column != 0) { /* exchange along the way back */
        const size_t before = m->from[column];
        m->row_of[column] = m->row_of[before];
        column = before;
    }
}

enum vp_status vp_assignment_solve(const double *weights, size_t n_rows, size_t n_columns,
                                   size_t *column, struct vp_err *err)
{
    for (size_t r = 0; r < n_rows; r++)
        column[r] = VP_ASSIGNMENT_NONE;
    if (n_rows == 0 || n_columns == 0)
        return VP_OK;
    const bool turned = n_rows > n_columns;
    struct matching m = {
        .weights = weights,
        .n_rows = turned ? n_columns : n_rows,
        .n_columns = turned ? n_rows : n_columns,
        .row_step = turned ? 1 : n_columns,
        .column_step = turned ? n_columns : 1,
    };
    enum vp_status status = VP_OK;
    m.u = calloc(m.n_rows + 1, sizeof *m.u);
    m.v = calloc(m.n_columns + 1, sizeof *m.v);
    m.slack = calloc(m.n_columns + 1, sizeof *m.slack);
    m.row_of = calloc(m.n_columns + 1, sizeof *m.row_of);
    m.from = calloc(m.n_columns + 1, sizeof *m.from);
    m.reached = calloc(m.n_columns + 1, sizeof *m.reached);
    if (m.u == NULL || m.v == NULL || m.slack == NULL || m.row_of == NULL || m.from == NULL ||
        m.reached == NULL) {
        status = status_no_memory(err, "an assignment of speakers", m.n_columns * 40);
        goto out;
    }
    for (size_t row = 1; row <= m.n_rows; row++)
        add_row(&m, row);
    for (size_t k = 1; k <= m.n_columns; k++) {
        if (m.row_of[k] == 0)
            continue;
        if (turned)
            column[k - 1] = m.row_of[k] - 1;
        else
            column[m.row_of[k] - 1] = k - 1;
    }
out:
    free(m.u);
    free(m.v);
    free(m.slack);
    free(m.row_of);
    free(m.from);
    free(m.reached);
    return status;
}
