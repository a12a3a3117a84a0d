/* Who is let in. */
#include "request/admission.h"

#include "http/forwarded.h"
#include "util/thread.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_probe(const struct request *request)
{
    enum route_label label = request->route->label;
    return label == ROUTE_LIVEZ || label == ROUTE_READYZ || label == ROUTE_HEALTHZ;
}

/* Probes tell nothing, and come under whatever name an orchestrator knows us by. */
static bool came_to_us(struct request *request)
{
    const struct hosts *hosts = request->hosts;
    if (is_probe(request))
        return true;
    const char *field = !hosts_allow(hosts, request->head.host)            ? "host"
                        : !hosts_allow_origin(hosts, request->head.origin) ? "origin"
                                                                           : NULL;
    if (field == NULL)
        return true;
    problem_set(&request->problem, PROBLEM_FOREIGN_HOST,
                "the request is for, or from a page of, a name that this service does not answer "
                "to; its operator may add the name to allowed_hosts");
    snprintf(request->problem.field, sizeof request->problem.field, "%s", field);
    return false;
}

static void judge_method(struct request *request)
{
    const struct route *route = request->route;
    if (!routes_take(route, request->method))
        problem_set(&request->problem, PROBLEM_METHOD_NOT_ALLOWED, "%s takes %s", route->path,
                    routes_methods(route));
}

static bool is_served_here(const struct request *request)
{
    const struct service *service = request->service;
    enum route_label label = request->route->label;
    if (request->route->path == NULL)
        return false;
    if ((label == ROUTE_METRICS && !service->config->metrics) ||
        ((label == ROUTE_OPENAPI || label == ROUTE_DOCS || label == ROUTE_INDEX) &&
         !service->config->docs))
        return false;
    return !service->has_admin || is_probe(request) ||
           request->route->is_admin == request->came_to_admin;
}

/* What is served when known voices are on. */
static bool has_voices(struct request *request)
{
    if (!request->route->needs_voices || request->service->store != NULL)
        return true;
    problem_set(&request->problem, PROBLEM_NOT_FOUND,
                "known voices are off: the operator may set the key voices to sqlite:PATH");
    snprintf(request->problem.field, sizeof request->problem.field, "voices");
    return false;
}

/* NULL: a key is asked for, and it has none that is right. */
static const struct key_rights *rights_of(struct request *request)
{
    static const struct key_rights everything = {.scopes = ALL_SCOPES};
    const struct keys *keys = request->service->keys;
    if (!request->route->needs_key || keys == NULL)
        return &everything;
    const struct key_rights *rights = keys_find(keys, request->head.authorization);
    if (rights == NULL)
        problem_set(&request->problem, PROBLEM_UNAUTHORIZED,
                    "send a valid key as `Authorization: Bearer KEY`");
    return rights;
}

/* What the key may do, whose voices it may name; without a collection in the query it names its
 * own. The answer is the same whether the other collection has voices or not. */
static bool is_permitted(struct request *request, const struct key_rights *rights)
{
    struct query *query = &request->query;
    const unsigned wanted =
        request->route->scope | (query->identify ? (unsigned)SCOPE_IDENTIFY : 0U);
    const unsigned missing = wanted & ~rights->scopes;
    if (missing != 0) {
        problem_set(&request->problem, PROBLEM_FORBIDDEN_SCOPE,
                    "the key of this request has not the scope \"%s\", which is wanted here; the "
                    "operator may add it to the key's line in api_keys_file",
                    key_scope_name(missing));
        snprintf(request->problem.field, sizeof request->problem.field, "%s",
                 key_scope_name(missing));
        return false;
    }
    if (*rights->collection == 0)
        return true;
    if ((query->seen & QUERY_COLLECTION) != 0 &&
        strcmp(query->collection, rights->collection) != 0) {
        problem_set(&request->problem, PROBLEM_FORBIDDEN_COLLECTION,
                    "the key of this request is for one collection, and this is not it: leave "
                    "collection out");
        snprintf(request->problem.field, sizeof request->problem.field, "collection");
        return false;
    }
    snprintf(query->collection, sizeof query->collection, "%s", rights->collection);
    return true;
}

static void judge_state(struct request *request)
{
    struct service *service = request->service;
    if (service->drain >= DRAIN_CLOSED)
        problem_set(&request->problem, PROBLEM_DRAINING,
                    "this instance is shutting down; another one will answer");
    else if (service->drain != DRAIN_NOT && request->route->is_diarization)
        problem_set(
            &request->problem, PROBLEM_DRAINING,
            "this instance is about to shut down and begins nothing long; another one will");
    else if (!service_is_ready(service))
        problem_set(&request->problem, PROBLEM_NOT_READY, "%s", service->not_ready_reason);
}

void admission_judge(struct request *request)
{
    ON_LOOP();
    if (!came_to_us(request))
        return;
    if (!is_served_here(request)) {
        problem_set(&request->problem, PROBLEM_NOT_FOUND, "nothing is served under this path");
        return;
    }
    request->route = routes_choose(request->route, request->method);
    const struct route *route = request->route;
    if (!has_voices(request))
        return;
    judge_method(request);
    if (request->problem.kind != PROBLEM_NONE)
        return;
    const struct key_rights *rights = rights_of(request);
    if (rights == NULL)
        return;
    if (request->head.expect != NULL && !request->head.expects_continue) {
        problem_set(&request->problem, PROBLEM_EXPECTATION_FAILED,
                    "the only expectation that is met is 100-continue");
        return;
    }
    if (!query_parse(request->query_text, route->options, &request->query, &request->problem))
        return;
    if (!is_permitted(request, rights))
        return;
    if (route->needs_engine)
        judge_state(request);
}

static void refuse_size(struct request *request)
{
    problem_set(&request->problem, PROBLEM_BODY_TOO_LARGE, "at most %zu bytes are taken here",
                request->max_body_bytes);
    request->problem.max_bytes = request->max_body_bytes;
}

static void refuse_memory(struct request *request)
{
    problem_set(&request->problem, PROBLEM_OVERLOADED_MEMORY,
                "too many uploads at once for the memory set aside for them; try again");
}

/* On whose account the request is: of its client's address, which a trusted proxy knows, and of its
 * key. */
static bool open_holder(struct request *request)
{
    struct service *service = request->service;
    const struct connection *connection = request->connection;
    struct address address = connection->address;
    unsigned char digest[KEY_DIGEST_BYTES];
    const bool has_key = service->keys != NULL && request->route->needs_key;
    if (connection->is_of_proxy)
        (void)forwarded_address(request->handle, &service->clients.proxies, &address);
    if (has_key)
        keys_digest(request->head.authorization, digest);
    return holder_open(&request->holder, &service->clients, &address, has_key ? digest : NULL);
}

void admission_open_body(struct request *request)
{
    ON_LOOP();
    struct service *service = request->service;
    const uint64_t declared = request->head.declared_bytes;
    const bool is_long = request->route->is_diarization;
    if (!open_holder(request)) {
        problem_set_no_memory(&request->problem);
        return;
    }
    request->route->on_head(request);
    if (request->problem.kind != PROBLEM_NONE)
        return;
    if (declared == 0) {
        problem_set(&request->problem, PROBLEM_EMPTY_BODY, "the request has no body");
        return;
    }
    if (request->needs_worker &&
        !queue_has_place(&service->queue, is_long ? JOB_DIARIZE : JOB_EMBED, is_long,
                         &request->holder)) {
        problem_set_overloaded(&request->problem);
        return;
    }
    enum body_fault fault = body_open(&request->body, request->uploads, &request->holder,
                                      request->max_body_bytes, declared);
    if (fault == BODY_TOO_LARGE)
        refuse_size(request);
    else if (fault == BODY_NO_BUDGET)
        refuse_memory(request);
}

void admission_judge_body(struct request *request)
{
    ON_LOOP();
    if (request->body.fault == BODY_TOO_LARGE)
        refuse_size(request);
    else if (request->body.fault == BODY_NO_BUDGET)
        refuse_memory(request);
    else if (request->body.n_bytes == 0)
        problem_set(&request->problem, PROBLEM_EMPTY_BODY, "the body is empty");
    else if (request->route->needs_engine)
        /* It may have changed while the body came. */
        if (!service_is_ready(request->service) ||
            (request->route->is_diarization && request->service->drain != DRAIN_NOT))
            judge_state(request);
}
