/*
 * Credentials that the program provides, and presigned URLs.
 *
 *     credentials URI ACCESS_KEY_ID SECRET_ACCESS_KEY     the bucket, and keys that open it
 *
 * Prints a URL to store `presigned`, one to read it, one to ask of it and one to delete it.
 */
#include "check.h"

struct vault {
    const char *id, *secret;
    hyd_status status;
    int asked, released;
};

static hyd_status provide(void *user, hyd_credentials *credentials) {
    struct vault *vault = user;
    CHECK(credentials->struct_size >= sizeof *credentials);
    CHECK(credentials->access_key_id == NULL && credentials->expires_unix_s == 0);
    vault->asked++;
    credentials->access_key_id = vault->id;
    credentials->secret_access_key = vault->secret;
    return vault->status;
}

static void release(void *user) {
    ((struct vault *)user)->released++;
}

static hyd_store *open_with(const hyd_engine *engine, const char *uri, struct vault *vault) {
    hyd_options *options = hyd_options_new();
    hyd_store *store = NULL;
    CHECK(options != NULL);
    CHECK_STATUS(HYD_OK, hyd_options_set_credentials(options, provide, vault, release, &error));
    CHECK_STATUS(HYD_OK, hyd_store_open(engine, uri, options, &store, &error));
    CHECK(hyd_options_free(options) == HYD_OK);
    return store;
}

static void provided(const hyd_engine *engine, const char *uri, struct vault *vault) {
    hyd_store *store = open_with(engine, uri, vault);
    CHECK(vault->asked == 0 && vault->released == 0);
    CHECK_STATUS(HYD_OK, hyd_put(store, TEXT("key"), "hello", 5, NULL, NULL, &error));
    CHECK_STATUS(HYD_OK, delete_one(store, "key", &error));
    CHECK(vault->asked == 1);
    CHECK(hyd_store_close(store) == HYD_OK);
}

static void not_provided(const hyd_engine *engine, const char *uri, struct vault *vault) {
    hyd_store *store = NULL;
    vault->status = HYD_E_CONFIG;
    store = open_with(engine, uri, vault);
    CHECK_STATUS(HYD_E_CONFIG, hyd_put(store, TEXT("key"), "hello", 5, NULL, NULL, &error));
    CHECK(hyd_store_close(store) == HYD_OK);
    vault->status = HYD_OK;
    vault->id = NULL;
    store = open_with(engine, uri, vault);
    CHECK_STATUS(HYD_E_CONFIG, hyd_put(store, TEXT("key"), "hello", 5, NULL, NULL, &error));
    CHECK(hyd_store_close(store) == HYD_OK);
}

static void replaced(void) {
    struct vault vault = {"id", "secret", HYD_OK, 0, 0};
    hyd_options *options = hyd_options_new();
    CHECK_STATUS(HYD_E_INVALID, hyd_options_set_credentials(options, NULL, &vault, release, &error));
    CHECK(vault.released == 0);
    CHECK_STATUS(HYD_OK, hyd_options_set_credentials(options, provide, &vault, release, &error));
    CHECK_STATUS(HYD_OK, hyd_options_set_credentials(options, provide, &vault, NULL, &error));
    CHECK(vault.released == 1);
    CHECK(hyd_options_free(options) == HYD_OK);
    CHECK(vault.released == 1 && vault.asked == 0);
    CHECK_STATUS(HYD_E_HANDLE, hyd_options_set_credentials(options, provide, &vault, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_options_set_credentials(NULL, provide, &vault, NULL, &error));
}

static void presigned(const hyd_engine *engine, const char *uri, struct vault *vault) {
    static const uint32_t methods[] = {HYD_PRESIGN_PUT, HYD_PRESIGN_GET, HYD_PRESIGN_HEAD,
                                       HYD_PRESIGN_DELETE};
    hyd_store *store = open_with(engine, uri, vault), *memory = NULL;
    char url[2048];
    size_t need = 0, all = 0, i;

    for (i = 0; i < sizeof methods / sizeof *methods; i++) {
        CHECK_STATUS(HYD_OK, hyd_presign(store, methods[i], TEXT("presigned"), 60, url, sizeof url,
                                         &need, &error));
        CHECK(need == strlen(url) && strstr(url, "X-Amz-Signature=") != NULL);
        puts(url);
    }
    CHECK_STATUS(HYD_OK, hyd_presign(store, 1, TEXT("presigned"), 60, NULL, 0, &all, &error));
    CHECK(all > 100);
    CHECK_STATUS(HYD_E_AGAIN, hyd_presign(store, 1, TEXT("presigned"), 60, url, all, &need, &error));
    CHECK(need == all);
    CHECK_STATUS(HYD_E_INVALID, hyd_presign(store, 0, TEXT("k"), 60, url, sizeof url, &need, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_presign(store, 1, TEXT("k"), 0, url, sizeof url, &need, &error));
    CHECK_STATUS(HYD_E_INVALID,
                 hyd_presign(store, 1, TEXT("k"), 604801, url, sizeof url, &need, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_presign(store, 1, TEXT("k"), 60, url, sizeof url, NULL, &error));
    CHECK_STATUS(HYD_E_INVALID, hyd_presign(NULL, 1, TEXT("k"), 60, url, sizeof url, &need, &error));
    CHECK_STATUS(HYD_OK, hyd_store_open(engine, "mem://presign", NULL, &memory, &error));
    CHECK_STATUS(HYD_E_UNSUPPORTED,
                 hyd_presign(memory, 1, TEXT("k"), 60, url, sizeof url, &need, &error));
    CHECK(hyd_store_close(memory) == HYD_OK);
    CHECK(hyd_store_close(store) == HYD_OK);
}

int main(int argc, char **argv) {
    struct vault vaults[3];
    hyd_engine *engine = small_engine(0);
    size_t i;

    CHECK(argc == 4);
    for (i = 0; i < 3; i++) {
        struct vault vault = {NULL, NULL, HYD_OK, 0, 0};
        vault.id = argv[2];
        vault.secret = argv[3];
        vaults[i] = vault;
    }
    provided(engine, argv[1], &vaults[0]);
    not_provided(engine, argv[1], &vaults[1]);
    presigned(engine, argv[1], &vaults[2]);
    replaced();
    CHECK(hyd_engine_destroy(engine) == HYD_OK);
    CHECK(vaults[0].released == 1 && vaults[1].released == 2 && vaults[2].released == 1);
    return 0;
}
