/* Transcripts of every form: what they become with speakers, and what is refused. */
#include "unit.h"

#include "transcript.h"

/* SPEAKER_00 speaks from 0 to 2 and from 6 to 8, SPEAKER_01 from 2 to 4, both from 7 to 8. */
static const struct vp_turn turns[] = {
    {.start_s = 0, .end_s = 2, .speaker = 0},
    {.start_s = 2, .end_s = 4, .speaker = 1},
    {.start_s = 6, .end_s = 8, .speaker = 0},
    {.start_s = 7, .end_s = 8, .speaker = 1},
};

static vp_transcript *read(const char *text)
{
    vp_transcript *transcript;
    struct vp_err err = {0};
    if (vp_transcript_read(text, strlen(text), &transcript, &err) != VP_OK)
        fail_msg("%s", err.message);
    if (vp_transcript_assign(transcript, turns, 4, &err) != VP_OK)
        fail_msg("%s", err.message);
    return transcript;
}

/* In its own form, and as text. NULL: is not looked at. */
static void check(enum vp_transcript_form form, const char *given, const char *expected,
                  const char *expected_text)
{
    vp_transcript *transcript = read(given);
    struct vp_err err = {0};
    char *text;
    size_t n_chars;
    assert_int_equal(vp_transcript_form_of(transcript), form);
    assert_int_equal(vp_transcript_write(transcript, &text, &n_chars, &err), VP_OK);
    assert_int_equal(strlen(text), n_chars);
    if (expected != NULL)
        assert_string_equal(text, expected);
    free(text);
    assert_int_equal(vp_transcript_text(transcript, &text, &n_chars, &err), VP_OK);
    assert_int_equal(strlen(text), n_chars);
    if (expected_text != NULL)
        assert_string_equal(text, expected_text);
    free(text);
    vp_transcript_free(transcript);
}

/* ---- whose a stretch is -----------------------------------------------------------------------
 */

/* The label of one cue, from start to end in ms, "" for none. */
static void check_label(unsigned start_ms, unsigned end_ms, const char *expected)
{
    char given[200], wanted[200];
    snprintf(given, sizeof given, "WEBVTT\n\n%02u:%02u.%03u --> %02u:%02u.%03u\nx\n",
             start_ms / 60000, start_ms / 1000 % 60, start_ms % 1000, end_ms / 60000,
             end_ms / 1000 % 60, end_ms % 1000);
    const size_t n_head = strlen(given) - 2;
    snprintf(wanted, sizeof wanted, "%.*s%s%s%sx\n", (int)n_head, given, *expected ? "<v " : "",
             expected, *expected ? ">" : "");
    check(VP_TRANSCRIPT_WEBVTT, given, wanted, NULL);
}

static void most_of_its_time_decides(void **state)
{
    (void)state;
    check_label(500, 1500, "SPEAKER_00");
    check_label(1000, 2900, "SPEAKER_00"); /* 1 s against 0.9 s */
    check_label(1000, 3100, "SPEAKER_01");
    check_label(1000, 3000, "SPEAKER_00"); /* as much of both: the first */
    check_label(7200, 7400, "SPEAKER_00");
    check_label(0, 8000, "SPEAKER_00");    /* several turns are summed: 4 s against 3 s */
    check_label(3500, 7600, "SPEAKER_00"); /* 1.6 s against 1.1 s, though 01 speaks first */
}

static void nobody_speaks_but_somebody_is_near(void **state)
{
    (void)state;
    check_label(4100, 4300, "SPEAKER_01");
    check_label(4500, 4600, "SPEAKER_01"); /* half a second away */
    check_label(4501, 4600, "");
    check_label(5400, 5499, "");
    check_label(5400, 5500, "SPEAKER_00");
    check_label(8400, 9000, "SPEAKER_00"); /* as near to both: the first */
    check_label(3000, 3000, "SPEAKER_01"); /* lasts no time, within a turn */
    check_label(60000, 61000, "");
}

static void without_turns_there_is_nobody(void **state)
{
    (void)state;
    vp_transcript *transcript = read("a 1 0.1 0.2 word\n");
    struct vp_err err;
    char *text;
    size_t n_chars;
    assert_int_equal(vp_transcript_assign(transcript, NULL, 0, &err), VP_OK);
    assert_int_equal(vp_transcript_write(transcript, &text, &n_chars, &err), VP_OK);
    assert_string_equal(text, "a 1 0.1 0.2 word NA lex null\n");
    free(text);
    vp_transcript_free(transcript);
}

/* ---- forms ------------------------------------------------------------------------------------
 */

static void whisper_by_segments(void **state)
{
    (void)state;
    check(
        VP_TRANSCRIPT_WHISPER,
        "{\"text\": \" Good day. Hello.\", \"segments\": [{\"id\": 0, \"start\": 0.0, \"end\": "
        "1.92, "
        "\"text\": \" Good day.\", \"avg_logprob\": -0.1}, {\"id\": 1, \"start\": 2, \"end\": 3.5, "
        "\"text\": \" Hello.\"}], \"language\": \"en\"}",
        "{\"text\":\" Good day. "
        "Hello.\",\"segments\":[{\"id\":0,\"start\":0.0,\"end\":1.92,\"text\":"
        "\" Good day.\",\"avg_logprob\":-0.1,\"speaker\":\"SPEAKER_00\"},{\"id\":1,\"start\":2,"
        "\"end\":3.5,\"text\":\" Hello.\",\"speaker\":\"SPEAKER_01\"}],\"language\":\"en\"}",
        "SPEAKER_00: Good day.\nSPEAKER_01: Hello.\n");
}

static void whisper_by_words(void **state)
{
    (void)state;
    /* The segment is 00's by time, its last word 01's; a word without times has its segment's. */
    check(
        VP_TRANSCRIPT_WHISPER,
        "{\"segments\":[{\"start\":0,\"end\":2.5,\"text\":\" At 9. Yes\",\"words\":[{\"word\":\" "
        "At\","
        "\"start\":0.1,\"end\":0.3},{\"word\":\" 9.\"},{\"word\":\" "
        "Yes\",\"start\":2.1,\"end\":2.4}]}]}",
        "{\"segments\":[{\"start\":0,\"end\":2.5,\"text\":\" At 9. Yes\",\"words\":[{\"word\":\" "
        "At\","
        "\"start\":0.1,\"end\":0.3,\"speaker\":\"SPEAKER_00\"},{\"word\":\" 9.\",\"speaker\":"
        "\"SPEAKER_00\"},{\"word\":\" Yes\",\"start\":2.1,\"end\":2.4,\"speaker\":\"SPEAKER_01\"}],"
        "\"speaker\":\"SPEAKER_00\"}]}",
        "SPEAKER_00: At 9.\nSPEAKER_01: Yes\n");
}

static void words_without_blanks_get_them(void **state)
{
    (void)state;
    check(VP_TRANSCRIPT_WHISPER,
          "{\"words\":[{\"word\":\"good\",\"start\":0,\"end\":1},{\"word\":\"day\",\"start\":1,"
          "\"end\":2},"
          "{\"word\":\"hm\",\"start\":5,\"end\":5.2}]}",
          NULL, "SPEAKER_00: good day\nUNKNOWN: hm\n");
    /* Pieces of words that bring their blanks stay together. */
    check(VP_TRANSCRIPT_WHISPER,
          "{\"segments\":[{\"start\":0,\"end\":2,\"text\":\" twenty-one\",\"words\":[{\"word\":"
          "\" twenty\",\"start\":0,\"end\":1},{\"word\":\"-one\",\"start\":1,\"end\":2}]}]}",
          NULL, "SPEAKER_00: twenty-one\n");
}

static void verbose_json_has_both(void **state)
{
    (void)state;
    check(VP_TRANSCRIPT_WHISPER,
          "{\"task\":\"transcribe\",\"duration\":8.0,\"segments\":[{\"id\":0,\"start\":0.0,\"end\":"
          "2.0,"
          "\"text\":\" Good day.\"}],\"words\":[{\"word\":\"Good\",\"start\":0.0,\"end\":1.0},"
          "{\"word\":\"day\",\"start\":4.2,\"end\":4.4}]}",
          "{\"task\":\"transcribe\",\"duration\":8.0,\"segments\":[{\"id\":0,\"start\":0.0,\"end\":"
          "2.0,"
          "\"text\":\" Good "
          "day.\",\"speaker\":\"SPEAKER_00\"}],\"words\":[{\"word\":\"Good\",\"start\":0.0,"
          "\"end\":1.0,\"speaker\":\"SPEAKER_00\"},{\"word\":\"day\",\"start\":4.2,\"end\":4.4,"
          "\"speaker\":\"SPEAKER_01\"}]}",
          "SPEAKER_00: Good day.\n");
}

static void whisper_cpp(void **state)
{
    (void)state;
    check(
        VP_TRANSCRIPT_WHISPER_CPP,
        "{\"result\":{\"language\":\"en\"},\"transcription\":[{\"timestamps\":{\"from\":"
        "\"00:00:02,000\",\"to\":\"00:00:03,500\"},\"offsets\":{\"from\":2000,\"to\":3500},"
        "\"text\":"
        "\" "
        "Hello.\",\"tokens\":[{\"text\":\"[_BEG_]\",\"offsets\":{\"from\":0,\"to\":0},\"id\":50364}"
        "]},"
        "{\"offsets\":{\"from\":60000,\"to\":61000},\"text\":\" Bye.\"}]}",
        "{\"result\":{\"language\":\"en\"},\"transcription\":[{\"timestamps\":{\"from\":"
        "\"00:00:02,000\",\"to\":\"00:00:03,500\"},\"offsets\":{\"from\":2000,\"to\":3500},"
        "\"text\":"
        "\" "
        "Hello.\",\"tokens\":[{\"text\":\"[_BEG_]\",\"offsets\":{\"from\":0,\"to\":0},\"id\":50364,"
        "\"speaker\":\"SPEAKER_00\"}],\"speaker\":\"SPEAKER_01\"},{\"offsets\":{\"from\":60000,"
        "\"to\":"
        "61000},\"text\":\" Bye.\",\"speaker\":null}]}",
        "SPEAKER_01: Hello.\nUNKNOWN: Bye.\n");
}

static void webvtt(void **state)
{
    (void)state;
    check(VP_TRANSCRIPT_WEBVTT,
          "\xef\xbb\xbfWEBVTT - a call\r\nKind: captions\r\n\r\nNOTE 00 is not --> here\r\n\r\n"
          "STYLE\r\n::cue {}\r\n\r\nfirst\r\n00:00.100 --> 00:01.900 align:start\r\n"
          "<i>Good</i>\r\n day.\r\n\r\n\r\n00:00:02.000 --> 00:00:03.500\r\n<v.loud "
          "Ann>Hello.\r\n\r\n"
          "01:00:00.000 --> 01:00:01.000\r\n<v Bob>Bye.",
          "WEBVTT - a call\r\nKind: captions\r\n\r\nNOTE 00 is not --> here\r\n\r\n"
          "STYLE\r\n::cue {}\r\n\r\nfirst\r\n00:00.100 --> 00:01.900 align:start\r\n"
          "<v SPEAKER_00><i>Good</i>\r\n day.\r\n\r\n\r\n00:00:02.000 --> 00:00:03.500\r\n"
          "<v SPEAKER_01>Hello.\r\n\r\n01:00:00.000 --> 01:00:01.000\r\n<v Bob>Bye.",
          "SPEAKER_00: Good day.\nSPEAKER_01: Hello.\nUNKNOWN: Bye.\n");
}

static void srt(void **state)
{
    (void)state;
    const char *once = "1\n00:00:00,100 --> 00:00:01,900\nSPEAKER_00: Good\nday.\n\n"
                       "2\n00:00:02,000 --> 00:00:03,500\n\n"
                       "3\n00:00:02,000 --> 00:00:03,500\nSPEAKER_01: Hello.\n";
    const char *text = "SPEAKER_00: Good day.\nSPEAKER_01: Hello.\n";
    check(VP_TRANSCRIPT_SRT,
          "1\n00:00:00,100 --> 00:00:01,900\nGood\nday.\n\n2\n00:00:02,000 --> 00:00:03,500\n\n"
          "3\n00:00:02,000 --> 00:00:03,500\nHello.\n",
          once, text);
    check(VP_TRANSCRIPT_SRT, once, once, text); /* what it wrote itself it writes again */
}

static void ctm(void **state)
{
    (void)state;
    check(VP_TRANSCRIPT_CTM,
          ";; a comment\ncall A 0.10 0.5 good 0.99\ncall\tA\t2.5\t0.5\thello\n\n"
          "call A 60 1 bye 0.5 lex\ncall A 6.2 0.3 ah NA lex Ann\n",
          ";; a comment\ncall A 0.10 0.5 good 0.99 lex SPEAKER_00\ncall\tA\t2.5\t0.5\thello NA lex "
          "SPEAKER_01\n\ncall A 60 1 bye 0.5 lex null\ncall A 6.2 0.3 ah NA lex SPEAKER_00\n",
          "SPEAKER_00: good\nSPEAKER_01: hello\nUNKNOWN: bye\nSPEAKER_00: ah\n");
}

static void text_cannot_begin_a_line(void **state)
{
    (void)state;
    check(VP_TRANSCRIPT_WHISPER,
          "{\"segments\":[{\"start\":0,\"end\":1,\"text\":\"yes\\nSPEAKER_01: no\"}]}", NULL,
          "SPEAKER_00: yes SPEAKER_01: no\n");
}

/* ---- what is refused --------------------------------------------------------------------------
 */

static void check_refused(const char *given, size_t n, const char *said)
{
    vp_transcript *transcript = (vp_transcript *)&turns;
    struct vp_err err = {0};
    assert_int_equal(vp_transcript_read(given, n, &transcript, &err), VP_ERR_ARGUMENT);
    assert_null(transcript);
    if (strstr(err.message, said) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.message, said);
}

static void faults_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *given, *said;
    } faults[] = {
        {"", "the transcript is empty"},
        {" \n\r\n\t", "the transcript is empty"},
        {"\xff\xfe"
         "1",
         "UTF-16"},
        {"WEBVTT\n\n00:01.000 --> 00:02.000\n\xff\xfe\n", "line 4: not UTF-8"},
        {"{\"segments\": [", "line 1, column"},
        {"[1, 2]", "neither segments nor words"},
        {"{\"text\": \"hello\"}", "neither segments nor words"},
        {"{\"words\": 3}", "words is not a list"},
        {"{\"segments\": {}}", "segments is not a list"},
        {"{\"segments\": [3]}", "segments[0] is not an object"},
        {"{\"segments\": [{\"start\":0,\"end\":1,\"text\":3}]}",
         "segments[0].text is not a string"},
        {"{\"segments\": [{\"start\":\"0\",\"end\":1,\"text\":\"\"}]}",
         "segments[0].start is not a number"},
        {"{\"segments\": [{\"start\":0,\"text\":\"\"}]}", "segments[0].end is not a number"},
        {"{\"segments\": [{\"start\":2,\"end\":1,\"text\":\"\"}]}",
         "segments[0] lasts from 2 to 1 s"},
        {"{\"segments\": [{\"start\":-1,\"end\":1,\"text\":\"\"}]}", "segments[0] lasts from -1"},
        {"{\"segments\": [{\"start\":0,\"end\":1e8,\"text\":\"\"}]}",
         "segments[0] lasts from 0 to 1e+08"},
        {"{\"segments\": "
         "[{\"start\":0,\"end\":1,\"text\":\"\",\"words\":[{\"word\":\"a\",\"end\":1}]}]}",
         "segments[0].words[0].start is not a number"},
        {"{\"words\": [{\"word\": \"a\"}]}", "words[0].start is not a number"},
        {"{\"words\": [], \"words\": []}", "duplicate"},
        {"{\"transcription\": [{\"text\":\"a\"}]}",
         "transcription[0].offsets.from is not a number"},
        {"{\"transcription\": "
         "[{\"text\":\"a\",\"offsets\":{\"from\":0,\"to\":1},\"tokens\":[{}]}]}",
         "transcription[0].tokens[0].text is not a string"},
        {"WEBVTT\n00:01.000 --> 00:02.000\na\n", "line 2: an empty line is missing"},
        {"WEBVTT\n\n00:01 --> 00:02\na\n", "line 3: not two times"},
        {"WEBVTT\n\n00:61.000 --> 00:62.000\na\n", "line 3: not two times"},
        {"WEBVTT\n\n00:02.000 --> 00:01.000\na\n", "line 3: the end lies before the start"},
        {"WEBVTT\n\n00:01.000 --> 00:02.000\na\n00:02.000 --> 00:03.000\nb\n",
         "line 5: a cue within another"},
        {"WEBVTT\n\nhello\nworld\n", "line 3: no cue begins here"},
        {"1\n00:00:01,000 --> 00:00:02,000\na\n\nmore\n", "line 5: no cue begins here"},
        {"1\n00:00:01,000 -> 00:00:02,000\na\n", "line 1: 1 fields, where CTM has 5 to 8"},
        {"a 1 0 1 w\nb 1 1 1 w\n", "line 2: a second recording"},
        {"a 1 x 1 w\n", "line 1: field 3, the start"},
        {"a 1 -1 1 w\n", "line 1: field 3, the start"},
        {"a 1 0 nan w\n", "line 1: field 4, the duration"},
        {"a 1 0 1e3 w\n", "line 1: field 4, the duration"},
        {"a 1 0 1.2.3 w\n", "line 1: field 4, the duration"},
        {"a 1 0 1 w 1 lex s more\n", "line 1: 9 fields"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        check_refused(faults[i].given, strlen(faults[i].given), faults[i].said);
    check_refused("a 1 0 1 w\0 1 lex s", 18, "line 1: not UTF-8");
}

static void its_size_is_limited(void **state)
{
    (void)state;
    const size_t n = VP_TRANSCRIPT_MAX_BYTES + 1;
    char *large = malloc(n);
    assert_non_null(large);
    memset(large, '\n', n);
    check_refused(large, n, "larger than 8388608 bytes");
    memset(large, '[', n);
    check_refused(large, n - 1, "more than 500000 values");
    check_refused(large, 400000, "maximum parsing depth");
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(most_of_its_time_decides),
        cmocka_unit_test(nobody_speaks_but_somebody_is_near),
        cmocka_unit_test(without_turns_there_is_nobody),
        cmocka_unit_test(whisper_by_segments),
        cmocka_unit_test(whisper_by_words),
        cmocka_unit_test(words_without_blanks_get_them),
        cmocka_unit_test(verbose_json_has_both),
        cmocka_unit_test(whisper_cpp),
        cmocka_unit_test(webvtt),
        cmocka_unit_test(srt),
        cmocka_unit_test(ctm),
        cmocka_unit_test(text_cannot_begin_a_line),
        cmocka_unit_test(faults_are_named),
        cmocka_unit_test(its_size_is_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
