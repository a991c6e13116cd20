#define _GNU_SOURCE
#include "cambium_curl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

// Of curl/curl.h, "CURLoption", "CURLINFO", "CURLcode": numbers that are libcurl's binary interface since 7.62 and do not
// change. The header itself is not needed to build.
enum {
    WRITEDATA = 10001, URL = 10002, READDATA = 10009, ERRORBUFFER = 10010, WRITEFUNCTION = 20011, READFUNCTION = 20012,
    LOW_SPEED_LIMIT = 19, LOW_SPEED_TIME = 20, HTTPHEADER = 10023, HEADERDATA = 10029, SSLVERSION = 32,
    CUSTOMREQUEST = 10036, NOPROGRESS = 43, NOBODY = 44, UPLOAD = 46, FOLLOWLOCATION = 52, XFERINFODATA = 10057,
    SSL_VERIFYPEER = 64, CAINFO = 10065, CONNECTTIMEOUT = 78, HEADERFUNCTION = 20079, SSL_VERIFYHOST = 81,
    HTTP_VERSION = 84, BUFFERSIZE = 98, NOSIGNAL = 99, INFILESIZE_LARGE = 30115, TCP_NODELAY = 121, SEEKFUNCTION = 20167,
    SEEKDATA = 10168, PROTOCOLS = 181, TCP_KEEPALIVE = 213, XFERINFOFUNCTION = 20219, PATH_AS_IS = 234,
    UPLOAD_BUFFERSIZE = 280,
};
enum { RESPONSE_CODE = 0x200002, CONTENT_LENGTH_DOWNLOAD_T = 0x60000F };
enum { GLOBAL_DEFAULT = 3, PROTOCOL_HTTP_AND_HTTPS = 3, VERSION_HTTP_1_1 = 2, SSLVERSION_TLS_1_2 = 6 };
enum { READFUNC_ABORT = 0x10000000, SEEKFUNC_OK = 0, SEEKFUNC_FAIL = 1, ERROR_SIZE = 256 };
enum {
    UNSUPPORTED_PROTOCOL = 1, URL_MALFORMAT = 3, NOT_BUILT_IN = 4, OUT_OF_MEMORY = 27, SSL_ENGINE = 53, SSL_CERTPROBLEM = 58,
    SSL_CIPHER = 59, PEER_FAILED_VERIFICATION = 60, SSL_CACERT_BADFILE = 77, SSL_ISSUER_ERROR = 83,
};

struct slist;
static struct {
    int (*global_init)(long);
    void *(*easy_init)(void);
    int (*easy_setopt)(void *, int, ...);
    int (*easy_perform)(void *);
    int (*easy_getinfo)(void *, int, ...);
    void (*easy_reset)(void *);
    void (*easy_cleanup)(void *);
    const char *(*easy_strerror)(int);
    struct slist *(*slist_append)(struct slist *, const char *);
    void (*slist_free_all)(struct slist *);
} curl;

static pthread_once_t tried = PTHREAD_ONCE_INIT;
static char failure[320];
static bool loaded;

static void load(void) {
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
    void *library = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && !library; i++)
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *reason = dlerror();
        snprintf(
            failure, sizeof failure, "remotes on S3 need libcurl, which cannot be loaded (%s); install it (Debian: libcurl4)",
            reason ? reason : "no reason given");
        return;
    }
    *(void **)&curl.global_init = dlsym(library, "curl_global_init");
    *(void **)&curl.easy_init = dlsym(library, "curl_easy_init");
    *(void **)&curl.easy_setopt = dlsym(library, "curl_easy_setopt");
    *(void **)&curl.easy_perform = dlsym(library, "curl_easy_perform");
    *(void **)&curl.easy_getinfo = dlsym(library, "curl_easy_getinfo");
    *(void **)&curl.easy_reset = dlsym(library, "curl_easy_reset");
    *(void **)&curl.easy_cleanup = dlsym(library, "curl_easy_cleanup");
    *(void **)&curl.easy_strerror = dlsym(library, "curl_easy_strerror");
    *(void **)&curl.slist_append = dlsym(library, "curl_slist_append");
    *(void **)&curl.slist_free_all = dlsym(library, "curl_slist_free_all");
    loaded = curl.global_init && curl.easy_init && curl.easy_setopt && curl.easy_perform && curl.easy_getinfo
        && curl.easy_reset && curl.easy_cleanup && curl.easy_strerror && curl.slist_append && curl.slist_free_all
        && curl.global_init(GLOBAL_DEFAULT) == 0;
    if (!loaded) snprintf(failure, sizeof failure, "the libcurl that was found does not start; install 7.62 or newer");
}

const char *cambium_http_failure(void) {
    pthread_once(&tried, load);
    return loaded ? NULL : failure;
}

void *cambium_http_open(void) { return cambium_http_failure() ? NULL : curl.easy_init(); }

void cambium_http_close(void *handle) {
    if (handle) curl.easy_cleanup(handle);
}

// A request that is under way.
struct exchange {
    void *handle;
    const struct cambium_http_request *request;
    struct cambium_http_response *response;
    size_t piece, offset;  // of the body, where reading stands
    size_t header_capacity, body_capacity;
    bool is_stopped, is_too_long, is_out_of_memory;
};

static bool moved(struct exchange *exchange, bool is_sent, size_t count) {
    if (exchange->request->moved(exchange->request->context, is_sent, count)) return true;
    exchange->is_stopped = true;
    return false;
}

// The room for `count` bytes more; false when there is none.
static bool make_room(struct exchange *exchange, void **bytes, size_t *capacity, size_t used, size_t count, size_t hint) {
    size_t wanted = used + count;
    if (wanted <= *capacity) return true;
    size_t room = *capacity * 2 > wanted ? *capacity * 2 : wanted;
    if (hint > room) room = hint;
    void *larger = realloc(*bytes, room);
    if (!larger) {
        exchange->is_out_of_memory = true;
        return false;
    }
    *bytes = larger;
    *capacity = room;
    return true;
}

static size_t take_header(char *line, size_t size, size_t number, void *context) {
    struct exchange *exchange = context;
    struct cambium_http_response *response = exchange->response;
    size_t count = size * number;
    // A status line begins another answer: 100 Continue came first, or the request was sent again.
    if (count >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        response->header_count = 0;
        response->is_framed = false;
        response->body_count = 0;
    }
    if (response->header_count + count > ((size_t)64 << 10)) {
        exchange->is_too_long = true;
        return 0;
    }
    if (!make_room(exchange, (void **)&response->headers, &exchange->header_capacity, response->header_count, count + 1, 1024))
        return 0;
    memcpy(response->headers + response->header_count, line, count);
    response->header_count += count;
    response->headers[response->header_count] = 0;
    if ((count > 15 && strncasecmp(line, "content-length:", 15) == 0)
        || (count > 18 && strncasecmp(line, "transfer-encoding:", 18) == 0))
        response->is_framed = true;
    return count;
}

static size_t take_body(char *bytes, size_t size, size_t number, void *context) {
    struct exchange *exchange = context;
    struct cambium_http_response *response = exchange->response;
    size_t count = size * number, used = response->body_count;
    long status = 0;
    curl.easy_getinfo(exchange->handle, RESPONSE_CODE, &status);
    bool is_wanted = status == 200 || status == 206;
    size_t limit = is_wanted ? exchange->request->limit : exchange->request->error_limit, kept = count;
    int64_t announced = -1;
    curl.easy_getinfo(exchange->handle, CONTENT_LENGTH_DOWNLOAD_T, &announced);
    if (count > limit - used || (is_wanted && announced > 0 && (uint64_t)announced > limit)) {
        if (is_wanted) {
            exchange->is_too_long = true;
            return 0;
        }
        kept = limit - used;
    }
    size_t hint = is_wanted && announced > 0 ? (size_t)announced : 0;
    if (kept > 0) {
        if (!make_room(exchange, (void **)&response->body, &exchange->body_capacity, used, kept, hint)) return 0;
        memcpy(response->body + used, bytes, kept);
        response->body_count = used + kept;
    }
    return moved(exchange, false, count) ? count : 0;
}

static size_t give_body(char *room, size_t size, size_t number, void *context) {
    struct exchange *exchange = context;
    const struct cambium_http_request *request = exchange->request;
    size_t capacity = size * number, done = 0;
    if (request->step > 0 && capacity > request->step) capacity = request->step;
    while (done < capacity && exchange->piece < request->piece_count) {
        const struct cambium_http_piece *piece = &request->pieces[exchange->piece];
        size_t rest = piece->count - exchange->offset;
        size_t count = rest < capacity - done ? rest : capacity - done;
        memcpy(room + done, (const char *)piece->bytes + exchange->offset, count);
        done += count;
        exchange->offset += count;
        if (exchange->offset == piece->count) {
            exchange->piece++;
            exchange->offset = 0;
        }
    }
    return moved(exchange, true, done) ? done : READFUNC_ABORT;
}

// libcurl begins anew when a kept connection turns out to be closed.
static int rewind_body(void *context, int64_t offset, int origin) {
    struct exchange *exchange = context;
    if (offset != 0 || origin != SEEK_SET) return SEEKFUNC_FAIL;
    exchange->piece = exchange->offset = 0;
    return SEEKFUNC_OK;
}

static int report(void *context, int64_t to_come, int64_t came, int64_t to_send, int64_t sent) {
    (void)to_come, (void)came, (void)to_send, (void)sent;
    return moved(context, false, 0) ? 0 : 1;
}

static bool would_fail_again(int code) {
    switch (code) {
    case UNSUPPORTED_PROTOCOL: case URL_MALFORMAT: case NOT_BUILT_IN: case SSL_ENGINE: case SSL_CERTPROBLEM: case SSL_CIPHER:
    case PEER_FAILED_VERIFICATION: case SSL_CACERT_BADFILE: case SSL_ISSUER_ERROR: return true;
    default: return false;
    }
}

static int make_headers(const char *lines, struct slist **headers) {
    for (const char *end; (end = strchr(lines, '\n')); lines = end + 1) {
        char *line = strndup(lines, (size_t)(end - lines));
        struct slist *longer = line ? curl.slist_append(*headers, line) : NULL;
        free(line);
        if (!longer) return OUT_OF_MEMORY;
        *headers = longer;
    }
    return 0;
}

// Sets everything; the first code that is not 0.
static int prepare(struct exchange *exchange, struct slist *headers, char *message) {
    const struct cambium_http_request *request = exchange->request;
    void *handle = exchange->handle;
    int code = 0;
#define SET(option, ...) do { if (!code) code = curl.easy_setopt(handle, option, __VA_ARGS__); } while (0)
    SET(ERRORBUFFER, message);
    SET(PROTOCOLS, (long)PROTOCOL_HTTP_AND_HTTPS);
    SET(FOLLOWLOCATION, 0L);
    SET(HTTP_VERSION, (long)VERSION_HTTP_1_1);
    SET(NOSIGNAL, 1L);
    SET(SSL_VERIFYPEER, 1L);
    SET(SSL_VERIFYHOST, 2L);
    SET(SSLVERSION, (long)SSLVERSION_TLS_1_2);
    if (request->ca_file) SET(CAINFO, request->ca_file);
    SET(TCP_NODELAY, 1L);
    SET(TCP_KEEPALIVE, 1L);
    // A hint; libcurl may refuse it, as for a handle whose look-up of a name was cut off.
    curl.easy_setopt(handle, BUFFERSIZE, 256L << 10);
    SET(CONNECTTIMEOUT, request->connect_seconds);
    SET(LOW_SPEED_LIMIT, request->slow_bytes);
    SET(LOW_SPEED_TIME, request->slow_seconds);
    SET(PATH_AS_IS, 1L);
    SET(URL, request->url);
    SET(HTTPHEADER, headers);
    SET(HEADERFUNCTION, take_header);
    SET(HEADERDATA, exchange);
    SET(WRITEFUNCTION, take_body);
    SET(WRITEDATA, exchange);
    SET(XFERINFOFUNCTION, report);
    SET(XFERINFODATA, exchange);
    SET(NOPROGRESS, 0L);
    if (strcmp(request->method, "PUT") == 0) {
        int64_t count = 0;
        for (size_t i = 0; i < request->piece_count; i++) count += (int64_t)request->pieces[i].count;
        SET(UPLOAD, 1L);
        curl.easy_setopt(handle, UPLOAD_BUFFERSIZE, 512L << 10);
        SET(INFILESIZE_LARGE, count);
        SET(READFUNCTION, give_body);
        SET(READDATA, exchange);
        SET(SEEKFUNCTION, rewind_body);
        SET(SEEKDATA, exchange);
    } else if (strcmp(request->method, "HEAD") == 0) {
        SET(NOBODY, 1L);
    } else if (strcmp(request->method, "GET") != 0) {
        SET(CUSTOMREQUEST, request->method);
    }
#undef SET
    return code;
}

// TLS libraries write to sockets without MSG_NOSIGNAL; a closed one must not end the process. What was pending before
// stays so.
static int perform_without_sigpipe(void *handle) {
    sigset_t pipe_only, old, pending;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    sigpending(&pending);
    bool was_pending = sigismember(&pending, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &old);
    int code = curl.easy_perform(handle);
    if (!was_pending) {
        struct timespec none = {0};
        while (sigtimedwait(&pipe_only, NULL, &none) == SIGPIPE) {}
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return code;
}

void cambium_http_perform(void *handle, const struct cambium_http_request *request, struct cambium_http_response *response) {
    memset(response, 0, sizeof *response);
    struct exchange exchange = {.handle = handle, .request = request, .response = response};
    char message[ERROR_SIZE] = "";
    struct slist *headers = NULL;
    int code = make_headers(request->headers, &headers);
    curl.easy_reset(handle);
    if (!code) code = prepare(&exchange, headers, message);
    if (!code) code = perform_without_sigpipe(handle);
    curl.easy_getinfo(handle, RESPONSE_CODE, &response->status);
    // It points into this frame, and to what is freed here.
    curl.easy_reset(handle);
    curl.slist_free_all(headers);
    response->end = exchange.is_stopped ? CAMBIUM_HTTP_STOPPED
        : exchange.is_too_long ? CAMBIUM_HTTP_TOO_LONG
        : exchange.is_out_of_memory || code == OUT_OF_MEMORY ? CAMBIUM_HTTP_NO_MEMORY
        : code == 0 ? CAMBIUM_HTTP_WHOLE
        : would_fail_again(code) ? CAMBIUM_HTTP_HOPELESS : CAMBIUM_HTTP_BROKEN;
    if (code) snprintf(response->message, sizeof response->message, "%s", *message ? message : curl.easy_strerror(code));
}

void cambium_http_free(struct cambium_http_response *response) {
    free(response->headers);
    free(response->body);
    response->headers = NULL;
    response->body = NULL;
}
