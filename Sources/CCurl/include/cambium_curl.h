#ifndef CAMBIUM_CURL_H
#define CAMBIUM_CURL_H

#include <stdbool.h>
#include <stddef.h>

// HTTP by libcurl, which is loaded when it is first used: stores without remotes do not need it.

// Loads the library if that has not been tried. NULL when it is there, else why it is not.
const char *cambium_http_failure(void);

// A connection that is kept for the next request; for one thread at a time. NULL without memory or library.
void *cambium_http_open(void);
void cambium_http_close(void *handle);

struct cambium_http_piece {
    const void *bytes;
    size_t count;
};

struct cambium_http_request {
    const char *method;  // GET, HEAD, PUT or DELETE
    const char *url;     // as it is signed: nothing in it is rewritten, and no redirection is followed
    const char *headers;  // lines, each ended by a line feed
    const struct cambium_http_piece *pieces;  // the body of a PUT
    size_t piece_count;
    const char *ca_file;  // NULL for the system's certificates
    long connect_seconds;
    // It ends when fewer than so many bytes a second moved for so long.
    long slow_bytes, slow_seconds;
    // Longer bodies end the request; that of a status other than 200 and 206 is cut at error_limit.
    size_t limit, error_limit;
    // So many bytes of the body are handed over at once, at most; `moved` may wait before each. 0 for any number.
    size_t step;
    // Called with bytes of bodies that were sent or came, and at least once a second with none; the request ends
    // when it gives false.
    bool (*moved)(void *context, bool is_sent, size_t count);
    void *context;
};

enum cambium_http_end {
    CAMBIUM_HTTP_WHOLE,      // the answer is all there
    CAMBIUM_HTTP_STOPPED,    // `moved` gave false
    CAMBIUM_HTTP_TOO_LONG,   // the body, or the headers, are longer than allowed
    CAMBIUM_HTTP_BROKEN,     // the connection failed; worth another try
    CAMBIUM_HTTP_HOPELESS,   // as BROKEN, but it would fail again: no such certificate, not HTTP
    CAMBIUM_HTTP_NO_MEMORY,
};

struct cambium_http_response {
    enum cambium_http_end end;
    long status;
    char *headers;  // lines of the last answer, ended by NUL; to be freed
    size_t header_count;
    unsigned char *body;  // to be freed
    size_t body_count;
    bool is_framed;  // the end of the body was told by its length or by chunks, not by the connection's end
    char message[320];
};

// Sends one request and waits for its answer. What the response owns is freed by the function below.
void cambium_http_perform(void *handle, const struct cambium_http_request *request, struct cambium_http_response *response);
void cambium_http_free(struct cambium_http_response *response);

#endif
