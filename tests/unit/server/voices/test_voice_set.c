/* Sets of voices: random changes against a plain list, and readers that keep what they hold. */
#include "unit.h"

#include "voices/voice_set.h"

enum { DIM = 4, N_IDS = 900, N_CHANGES = 6000 };

/* The plain list: what is known under each id, in two collections and of two models. */
struct entry {
    bool is_there;
    int model;
    float mark;
};
static struct entry list[2][N_IDS];
static const char *const collections[] = {"default", "other"};
static const char *const digests[] = {"sha256:a", "sha256:b"};

static void row_of(float mark, float row[DIM])
{
    for (size_t i = 0; i < DIM; i++)
        row[i] = mark + (float)i;
}

static void id_of(int i, char id[16])
{
    snprintf(id, 16, "v%d", i * 7919 % 10007);
}

static void check(const struct voice_set *set)
{
    size_t n = 0;
    for (size_t c = 0; c < 2; c++) {
        size_t n_here = 0;
        for (int i = 0; i < N_IDS; i++) {
            const struct entry *entry = &list[c][i];
            char id[16];
            float row[DIM];
            struct place place;
            id_of(i, id);
            row_of(entry->mark, row);
            assert_int_equal(voice_set_find(set, collections[c], id, &place), entry->is_there);
            n_here += entry->is_there;
            if (!entry->is_there)
                continue;
            assert_string_equal(place.voice->id, id);
            assert_string_equal(place.gallery->digest, digests[entry->model]);
            assert_memory_equal(place.row, row, sizeof row);
        }
        assert_int_equal(voice_set_count(set, collections[c]), n_here);
        n += n_here;
    }
    assert_int_equal(set->n_voices, n);
}

static struct voice_set *change(struct voice_set *set, size_t c, int i)
{
    struct entry *entry = &list[c][i];
    char id[16];
    float row[DIM];
    struct voice_set *next;
    id_of(i, id);
    if (entry->is_there && rand() % 3 == 0) {
        next = voice_set_without(set, collections[c], id);
        entry->is_there = false;
    } else {
        struct voice *voice = voice_new(id, 1);
        *entry = (struct entry){true, rand() % 4 == 0, (float)(rand() % 1000)};
        row_of(entry->mark, row);
        next = voice_set_with(set, collections[c], digests[entry->model], DIM, voice, row);
        voice_release(voice);
    }
    assert_non_null(next);
    voice_set_release(set);
    return next;
}

static void changes_are_those_of_a_plain_list(void **state)
{
    (void)state;
    struct voice_set *set = voice_set_new();
    srand(1);
    memset(list, 0, sizeof list);
    for (int i = 0; i < N_CHANGES; i++) {
        set = change(set, rand() % 8 == 0, rand() % N_IDS);
        if (i % 500 == 0)
            check(set);
    }
    check(set);
    struct voice_set *next = voice_set_without_collection(set, "default");
    memset(list[0], 0, sizeof list[0]);
    check(next);
    voice_set_release(set);
    voice_set_release(next);
}

static void pages_are_in_order(void **state)
{
    (void)state;
    struct voice_set *set = voice_set_new();
    struct place places[200];
    char after[16] = "";
    size_t n_seen = 0;
    memset(list, 0, sizeof list);
    for (int i = 0; i < N_IDS; i++) /* of both models */
        while (!list[0][i].is_there)
            set = change(set, 0, i);
    for (size_t n; (n = voice_set_page(set, "default", after, places, 100)) > 0;) {
        for (size_t i = 0; i < n; i++) {
            assert_true(strcmp(after, places[i].voice->id) < 0);
            snprintf(after, sizeof after, "%s", places[i].voice->id);
        }
        n_seen += n;
    }
    assert_int_equal(n_seen, N_IDS);
    voice_set_release(set);
}

static void who_holds_a_set_sees_no_change(void **state)
{
    (void)state;
    struct voice_set *set = voice_set_new(), *held;
    struct place place;
    memset(list, 0, sizeof list);
    for (int i = 0; i < 300; i++)
        set = change(set, 0, i);
    held = voice_set_hold(set);
    struct entry before[N_IDS];
    memcpy(before, list[0], sizeof before);
    for (int i = 0; i < 300; i++)
        set = change(set, 0, i);
    assert_true(voice_set_find(set, "default", "v0", &place) == list[0][0].is_there);
    memcpy(list[0], before, sizeof before);
    check(held);
    voice_set_release(set);
    check(held);
    voice_set_release(held);
}

static void loading_makes_the_same(void **state)
{
    (void)state;
    struct voice_set *set = voice_set_new();
    memset(list, 0, sizeof list);
    for (int i = 0; i < 700; i++)
        set = change(set, 0, i);
    struct place *places = calloc(2 * N_IDS, sizeof *places);
    const size_t n = voice_set_page(set, "default", "", places, N_IDS);
    struct voice_set *loaded = voice_set_new();
    for (size_t i = 0; i < n; i++) {
        loaded = voice_set_append(loaded, "default", places[i].gallery->digest, DIM,
                                  places[i].voice, places[i].row);
        assert_non_null(loaded);
    }
    check(loaded);
    free(places);
    voice_set_release(set);
    voice_set_release(loaded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_those_of_a_plain_list),
        cmocka_unit_test(pages_are_in_order),
        cmocka_unit_test(who_holds_a_set_sees_no_change),
        cmocka_unit_test(loading_makes_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
