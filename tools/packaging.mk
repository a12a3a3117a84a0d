# From built programs to where they run: files on a system, a Debian package, a container image.

PREFIX ?= /usr/local
# `-s` leaves debug symbols out, as the Debian package and the image do.
STRIP  ?=
STRIP_PROGRAM := $(if $(ARCH),--strip-program=aarch64-linux-gnu-strip)
# The model that goes along, where programs and unit look for it: the one in the box, or that of MODEL=campplus.
BOXED  := $(if $(filter $(CAMPPLUS),$(MODEL)),$(CAMPPLUS),$(firstword $(wildcard models/voiceprint.safetensors) $(UNTRAINED)))
# With `make model-segmentation` before it, the segmentation network goes along; SEGMENTATION=no: not.
BOXED_SEGMENTATION = $(if $(filter no,$(SEGMENTATION)),,$(wildcard models/segmentation.safetensors))
SHARE  := $(DESTDIR)$(PREFIX)/share
AT_PREFIX := sed 's,/usr/,$(PREFIX)/,g'

.PHONY: install install-programs deb image container-works container-image test-container

install-programs: all
	install -d $(DESTDIR)$(PREFIX)/bin
	install $(if $(STRIP),$(STRIP) $(STRIP_PROGRAM)) -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin

install: install-programs $(BOXED) ## programs, model, manual pages and systemd unit under DESTDIR PREFIX
	install -d $(SHARE)/voiceprintd $(SHARE)/man/man1 $(SHARE)/man/man8
	install -p -m 644 $(BOXED) $(SHARE)/voiceprintd/voiceprint.safetensors
	install -p -m 644 LICENSE NOTICE $(SHARE)/voiceprintd
	$(if $(BOXED_SEGMENTATION),install -p -m 644 $(BOXED_SEGMENTATION) $(SHARE)/voiceprintd/segmentation.safetensors)
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	$(AT_PREFIX) docs/man/voiceprint.1 > $(SHARE)/man/man1/voiceprint.1
	$(AT_PREFIX) docs/man/voiceprintd.8 > $(SHARE)/man/man8/voiceprintd.8
	$(AT_PREFIX) config/voiceprintd.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/voiceprintd.service

$(CAMPPLUS):
	$(PYTHON) tools/get_weights.py campplus

deb: $(if $(ARCH),aarch64-deps) ## a Debian package in build/ (ARCH=arm64: for another machine)
	@VERSION="$(VERSION)" ARCH="$(ARCH)" SYSROOT="$(SYSROOT)" tools/deb.sh

image: ## the container image `voiceprintd`, by docker or podman (MODEL=campplus)
	@VERSION="$(VERSION)" SEGMENTATION="$(SEGMENTATION)" MODEL="$(if $(filter $(CAMPPLUS),$(MODEL)),campplus)" tools/image.sh

# Not part of `make test`: it needs root, about 2 GB of disk and some minutes.
container-works:
	@tools/deps.sh podman runc mmdebstrap systemd mandoc python3-venv
	@$(PYTHON) tests/container/prepare.py --check

container-image: container-works
	@$(PYTHON) tests/container/prepare.py --version "$(VERSION)"

test-container: container-image ## build the image and put three replicas behind haproxy and nginx
	@$(MAKE) --no-print-directory all
	@$(PYTHON) tests/container/throughput.py
	@$(PYTHON) -m pytest -q -s -p no:cacheprovider --timeout=240 tests/container
