/* The table of keys: defaults, types, ranges, precedence, and what an error says. */
#include "unit.h"

#include "config/config.h"

static bool set(const char *key, const char *value, struct config *config)
{
    struct config_error error;
    return config_set(config, key, value, &error);
}

static void defaults_are_those_of_the_contract(void **state)
{
    (void)state;
    struct config config;
    config_defaults(&config);
    assert_string_equal(config.listen, "127.0.0.1:8080");
    assert_int_equal(config.max_connections, 512);
    assert_int_equal(config.max_body_bytes, 16 << 20);
    assert_int_equal(config.max_buffered_bytes, 256 << 20);
    assert_int_equal(config.max_clips, 8);
    assert_true(config.header_timeout_s == 10 && config.request_timeout_s == 30);
    assert_true(config.idle_timeout_s == 15 && config.queue_timeout_ms == 5000);
    assert_true(config.drain_delay_s == 5 && config.drain_timeout_s == 20);
    assert_true(config.watchdog_s == 60 && config.silence_dbfs == -60);
    assert_true(config.min_duration_s == 0.5 && config.warn_duration_s == 2);
    assert_true(config.max_duration_s == 60 && !config.truncate);
    assert_false(config.has_threshold);
    assert_false(config.has_calibration);
    assert_true(config.metrics && config.docs);
    assert_int_equal(config.kernel, VP_KERNEL_AUTO);
    assert_int_equal(config.log_format, LOG_JSON);
    assert_int_equal(config.log_level, LOG_INFO);
}

static void values_are_read_by_type(void **state)
{
    (void)state;
    struct config config;
    config_defaults(&config);
    assert_true(set("max_body_bytes", "2MiB", &config));
    assert_int_equal(config.max_body_bytes, 2 << 20);
    assert_true(set("threshold", "-0.25", &config));
    assert_true(config.has_threshold && config.threshold == -0.25);
    assert_true(set("threshold", "", &config));
    assert_false(config.has_threshold);
    assert_true(set("calibration", "3.5, -1", &config));
    assert_true(config.calibration[0] == 3.5 && config.calibration[1] == -1);
    assert_true(set("long_audio", "truncate", &config));
    assert_true(config.truncate);
    assert_true(set("log_level", "error", &config));
    assert_int_equal(config.log_level, LOG_ERROR);
    assert_true(set("metrics", "false", &config));
    assert_false(config.metrics);
    for (unsigned k = VP_KERNEL_AUTO; k < VP_N_KERNELS; k++) {
        assert_true(set("kernel", vp_kernel_name((enum vp_kernel)k), &config));
        assert_int_equal(config.kernel, k);
    }
    assert_true(set("workers", "auto", &config));
    assert_int_equal(config.workers, 0);
}

static void bad_values_are_refused_and_change_nothing(void **state)
{
    (void)state;
    static const char *const bad[][2] = {{"workers", "0"},
                                         {"workers", "1.5"},
                                         {"workers", "-1"},
                                         {"workers", "2x"},
                                         {"workers", ""},
                                         {"workers", " 2"},
                                         {"workers", "1e99"},
                                         {"queue_size", "nan"},
                                         {"header_timeout_s", "inf"},
                                         {"max_body_bytes", "1KB"},
                                         {"max_body_bytes", "0"},
                                         {"max_body_bytes", "1MiBx"},
                                         {"threshold", "1.5"},
                                         {"threshold", "x"},
                                         {"calibration", "1"},
                                         {"calibration", "1,"},
                                         {"calibration", ",1"},
                                         {"calibration", "1,2,3"},
                                         {"log_level", "loud"},
                                         {"log_level", ""},
                                         {"log_level", "info|warn"},
                                         {"metrics", "maybe"},
                                         {"listen", ""},
                                         {"nope", "1"},
                                         {"client_share_percent", "0"},
                                         {"client_share_percent", "101"},
                                         {"min_duration_s", "0.1"},
                                         {"kernel", "sse2"},
                                         {"kernel", "AVX2"}};
    struct config before, config;
    config_defaults(&before);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct config_error error = {""};
        config_defaults(&config);
        assert_false(config_set(&config, bad[i][0], bad[i][1], &error));
        assert_non_null(strstr(error.message, bad[i][0]));
    }
}

static void a_text_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct config config;
    char text[300];
    config_defaults(&config);
    memset(text, 'a', sizeof text);
    text[sizeof config.listen - 1] = 0;
    assert_true(set("listen", text, &config));
    text[sizeof config.listen - 1] = 'a';
    text[sizeof config.listen] = 0;
    assert_false(set("listen", text, &config));
}

static void flags_beat_environment_beats_defaults(void **state)
{
    (void)state;
    char *arguments[] = {(char[]){"voiceprintd"}, (char[]){"--queue-size"}, (char[]){"7"},
                         (char[]){"--workers=3"}, NULL};
    char *environment[] = {(char[]){"VOICEPRINTD_QUEUE_SIZE=6"},
                           (char[]){"VOICEPRINTD_MAX_CLIPS=2"}, (char[]){"OTHER=1"}, NULL};
    struct config config;
    struct config_error error;
    enum config_action action;
    assert_true(config_load(4, arguments, environment, &config, &action, &error));
    assert_int_equal(action, CONFIG_RUN);
    assert_int_equal(config.queue_size, 7);
    assert_int_equal(config.workers, 3);
    assert_int_equal(config.max_clips, 2);
}

static void a_kernel_that_cannot_run_is_refused(void **state)
{
    (void)state;
    struct config config;
    config_defaults(&config);
    config.workers = config.queue_size = 1;
    for (unsigned k = VP_KERNEL_AUTO; k <= VP_N_KERNELS; k++) { /* the last: none has it */
        struct config_error error = {""};
        config.kernel = (enum vp_kernel)k;
        bool good = config_validate(&config, &error);
        assert_int_equal(good, vp_kernel_available(config.kernel));
        assert_true(good ||
                    (strstr(error.message, "kernel = ") && strstr(error.message, "auto|blas")));
    }
    assert_int_equal(config.kernel, VP_N_KERNELS);
    assert_false(vp_kernel_available(config.kernel));
}

static void threads_of_a_request_follow_the_workers(void **state)
{
    (void)state;
    char *arguments[] = {(char[]){"voiceprintd"}, (char[]){"--workers=3"},
                         (char[]){"--threads-per-request=auto"}, NULL};
    char *nothing[] = {NULL};
    struct config config;
    struct config_error error;
    enum config_action action;
    assert_true(config_load(3, arguments, nothing, &config, &action, &error));
    assert_int_equal(config.threads_per_request, 3);
    assert_true(config_load(2, arguments, nothing, &config, &action, &error));
    assert_int_equal(config.threads_per_request, 1);
    assert_true(set("threads_per_request", "32", &config));
    assert_false(set("threads_per_request", "33", &config));
}

static void there_is_a_cpu(void **state)
{
    (void)state;
    assert_true(config_count_cpus() >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_contract),
        cmocka_unit_test(values_are_read_by_type),
        cmocka_unit_test(bad_values_are_refused_and_change_nothing),
        cmocka_unit_test(a_text_that_does_not_fit_is_refused),
        cmocka_unit_test(flags_beat_environment_beats_defaults),
        cmocka_unit_test(a_kernel_that_cannot_run_is_refused),
        cmocka_unit_test(threads_of_a_request_follow_the_workers),
        cmocka_unit_test(there_is_a_cpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
