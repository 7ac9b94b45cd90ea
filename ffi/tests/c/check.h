/* What the C programs of the tests share: a check that says where it failed, and ends the program. */
#ifndef CHECK_H
#define CHECK_H

#include <hydrant.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                 \
    do {                                                                                 \
        if (!(condition)) {                                                              \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);      \
            exit(EXIT_FAILURE);                                                          \
        }                                                                                \
    } while (0)

/* The call has exactly this status; `error` is the object it may have left, which is freed. */
#define CHECK_STATUS(expected, call)                                                     \
    do {                                                                                 \
        hyd_error *error = NULL;                                                         \
        hyd_status expected_status = (expected), status = (call);                        \
        check_status(__FILE__, __LINE__, #call, expected_status, status, error);         \
    } while (0)

/* A text as pointer and length. */
#define TEXT(text) (text), strlen(text)

static void check_status(const char *file, int line, const char *call, hyd_status expected,
                         hyd_status status, hyd_error *error) {
    hyd_error_view view = HYD_ERROR_VIEW_INIT;
    if (error != NULL) {
        CHECK(hyd_error_info(error, &view) == HYD_OK);
        CHECK(view.status == status);
        CHECK(view.message_len == strlen(view.message) && view.message_len > 0);
    }
    if (status != expected) {
        fprintf(stderr, "%s:%d: %s: expected %s, got %s: %s\n", file, line, call,
                hyd_status_str(expected), hyd_status_str(status),
                error != NULL ? view.message : "no error object");
        exit(EXIT_FAILURE);
    }
    CHECK(status != HYD_OK || error == NULL);
    hyd_error_free(error);
}

#endif
