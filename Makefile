# bake: GNU make and pkg-config, no configure step. `make help` lists the targets, from the "##" comments.

B ?= build
PREFIX ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

ifeq ($(origin CC),default)
CC := gcc
endif
AR ?= ar
Q := $(if $(V),,@)

ifdef SAN
SAN_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
override B := $(B)/san
endif
ifneq ($(findstring clang,$(CC)),)
override B := $(B)/clang
endif

PKGS := zlib libarchive libcurl libsodium libcjson libssl libcrypto ext2fs com_err fdisk blkid libisal libdeflate libmicrohttpd yaml-0.1

WARN_COMMON := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
  -Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wcast-qual -Wcast-align -Wwrite-strings -Wformat=2 \
  -Wformat-signedness -Wundef -Wvla -Walloca -Wswitch-enum -Wnull-dereference -Wdouble-promotion -Wimplicit-fallthrough \
  -Wunused-macros -Wredundant-decls -Wnested-externs -fno-common -Werror=implicit-function-declaration \
  -Werror=incompatible-pointer-types -Werror=int-conversion -Werror=return-type -Werror=format \
  -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wuse-after-free=3 -Warith-conversion
HARDEN := -fstack-protector-strong -fstack-clash-protection -fcf-protection -D_FORTIFY_SOURCE=2 -ftrivial-auto-var-init=zero

# The flags that this compiler takes, probed once per build folder.
FLAGS_MK := $(B)/flags.mk
# Goals that install the compiler first, or need none, skip this.
ifeq ($(filter clean help setup fixtures image test test-cluster test-matrix test-native test-cloud check lint bench fuzz uninstall dist,$(MAKECMDGOALS)),)
include $(FLAGS_MK)
endif
$(FLAGS_MK): Makefile
	@mkdir -p $(B)
	@command -v $(firstword $(CC)) >/dev/null || { echo "no compiler $(CC): run scripts/setup build" >&2; exit 1; }
	@ok=; for f in $(WARN_COMMON) $(if $(SAN),,$(HARDEN)); do \
	  if echo 'int main(void){return 0;}' | $(CC) -Werror $(SAN_FLAGS) -O2 $$f -x c -c -o /dev/null - 2>/dev/null; \
	  then ok="$$ok $$f"; fi; done; echo "PROBED :=$$ok" > $@

CFLAGS ?= -O2 -g
STD := -std=gnu17
CPPFLAGS_ALL = -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DBAKE_VERSION='"$(VERSION)"' -Isrc -I. -I$(B)/gen $(CPPFLAGS)
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS) | sed 's/-I/-isystem /g')
PKG_LIBS = $(shell pkg-config --libs $(PKGS))
CFLAGS_ALL = $(STD) $(CFLAGS) $(PROBED) $(SAN_FLAGS) -fPIE -pthread $(CPPFLAGS_ALL) $(PKG_CFLAGS)
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now,-z,noexecstack $(SAN_FLAGS) -pthread $(LDFLAGS)
CMOCKA_LIBS = $(shell pkg-config --libs cmocka)

LIB_SRC := $(sort $(shell find src -name '*.c' -not -path 'src/agent/*'))
FRONT_SRC := $(sort $(filter-out bake/main.c,$(shell find bake -name '*.c')))
LIB_OBJ := $(LIB_SRC:%.c=$(B)/obj/%.o)
FRONT_OBJ := $(FRONT_SRC:%.c=$(B)/obj/%.o)
UNIT_SRC := $(sort $(shell find tests/unit -name 'test_*.c'))
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(B)/unit/%)
SUPPORT_SRC := $(sort $(wildcard tests/support/lib/*.c))
SUPPORT_OBJ := $(SUPPORT_SRC:%.c=$(B)/obj/%.o)

.PHONY: all
all: $(B)/bake $(B)/bake.1 ## builds the program: CC=clang, SAN=1 (ASan and UBSan), CFLAGS, B=FOLDER, V=1 (shows commands)

-include Makefile.agent

# Files that are compiled in: units, manifests, example recipes, the node's agent, the scripts of `bake test --native`.
EMBED_UNITS := $(sort $(shell find units -type f))
EMBED_MANIFESTS := $(sort $(shell find manifests -name '*.yaml'))
EMBED_RECIPES := $(sort $(wildcard manifests/recipes/*.json))
EMBED_TRIAL := $(addprefix bake/trial/,rig lib.bash scenario)
GEN_OBJ := $(B)/gen/embedded.o
$(B)/gen/embedded.S: Makefile scripts/embed $(EMBED_UNITS) $(EMBED_MANIFESTS) $(EMBED_RECIPES) $(EMBED_TRIAL) $(B)/bake-agent $(B)/bake-pause
	@mkdir -p $(@D)
	$(Q)scripts/embed $@ bake-agent=$(B)/bake-agent bake-pause=$(B)/bake-pause $(foreach f,$(EMBED_UNITS) $(EMBED_MANIFESTS),$(f)=$(f)) \
	  $(foreach f,$(EMBED_RECIPES),recipes/$(notdir $(f))=$(f)) $(foreach f,$(EMBED_TRIAL),trial/$(notdir $(f))=$(f))
$(GEN_OBJ): $(B)/gen/embedded.S
	$(Q)$(CC) -c -o $@ $<

$(B)/obj/%.o: %.c $(FLAGS_MK)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $<")
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(B)/libbake.a: $(LIB_OBJ) $(GEN_OBJ)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# Everything but main(), for the tests.
$(B)/libfront.a: $(FRONT_OBJ)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(B)/bake: $(B)/obj/bake/main.o $(B)/libfront.a $(B)/libbake.a
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

# The manual's option lists come from the tables that the program itself reads.
$(B)/bake.1: bake/bake.1 $(B)/bake
	$(Q)$(B)/bake --manual >$@.options && sed -e '/^@OPTIONS@$$/{r $@.options' -e 'd}' $< >$@

$(B)/unit/%: $(B)/obj/tests/unit/%.o $(SUPPORT_OBJ) $(B)/libfront.a $(B)/libbake.a $(B)/libagent.a
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(CMOCKA_LIBS) $(PKG_LIBS)

# What tests run in the cage: a static program, as the payload's are, that tries to get out.
$(B)/caged: tests/support/caged.c $(FLAGS_MK)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(STD) -O1 $(filter-out -f% $(SAN_FLAGS),$(PROBED)) -D_GNU_SOURCE -static -s -o $@ $<
$(B)/unit/kube/cage/test_cage $(B)/unit/kube/test_flags: | $(B)/caged

$(B)/bench-tool: $(B)/obj/tests/bench/bench_tool.o $(B)/libbake.a
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

# The fuzz targets on their corpora, without libFuzzer: see tests/fuzz/corpus-test.
REPLAY_BIN := $(patsubst tests/fuzz/%.c,$(B)/replay/%,$(wildcard tests/fuzz/fuzz_*.c))
.PHONY: replay-bins
replay-bins: $(REPLAY_BIN) ## builds what replays the fuzz corpora
$(B)/replay/%: $(B)/obj/tests/fuzz/%.o $(B)/obj/tests/fuzz/replay.o $(B)/libbake.a $(B)/libagent.a
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

UNIT_WANTED = $(foreach t,$(UNIT_BIN),$(if $(T),$(if $(findstring $(T),$(t)),$(t)),$(t)))
.PHONY: unit unit-bins
unit-bins: $(UNIT_WANTED) ## builds the unit tests: T=PART as for unit
unit: unit-bins ## runs unit tests: T=pack/store (part of the path), C=damaged (part of a case's name)
	@tests/support/run-unit $(if $(C),-c "$(C)") $(UNIT_WANTED)

# Set-up and tests use Debian's own tools, whatever else comes first in PATH.
setup fixtures image test test-cluster test-matrix test-native test-cloud lint bench fuzz unit: export PATH := /usr/sbin:/usr/bin:/sbin:/bin:$(PATH)

# The fixtures: the stand-in base, and real programs: hyperkube, etcd, CNI plugins. They live outside the tree, in
# $BAKE_FIXTURES or the user's cache.
.PHONY: setup fixtures image test test-cluster test-matrix test-native test-cloud check lint bench fuzz install uninstall dist clean help
setup: ## installs the Debian packages that bake and its tests need
	@scripts/setup

fixtures: ## makes the inputs of tests and of the compiled-in recipe, once
	@scripts/setup build image
	@scripts/payload
	@tests/support/base/build
	@scripts/hyperkube

FIXTURES := $(or $(BAKE_FIXTURES),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/bake-fixtures)
KEY := $(or $(XDG_CONFIG_HOME),$(HOME)/.config)/bake/bake.key
image: ## builds, and bakes an image into out/: RECIPE=FILE instead of the compiled-in recipe
	@scripts/setup build image
	@$(MAKE) --no-print-directory all fixtures
	@[ -e "$(KEY)" ] || $(B)/bake key new --no-passphrase --key "$(KEY)" >/dev/null
	@# the stand-in's lock is updated when its inputs were made again
	@new=; [ -n "$(RECIPE)" ] || [ ! -e out/standin.lock.json ] || \
	  new=$$(find "$(FIXTURES)"/base "$(FIXTURES)"/payload "$(FIXTURES)"/hyperkube -type f -newer out/standin.lock.json -print -quit); \
	  $(B)/bake image $(or $(RECIPE),--standin) $${new:+--update}

# Everything is built twice, with and without sanitizers.
test: ## runs every test: SUITES="unit/fs e2e" (parts of names, see tests/run -l)
	@scripts/setup build image test
	@$(MAKE) --no-print-directory all unit-bins fixtures
	@$(MAKE) --no-print-directory SAN=1 all unit-bins replay-bins
	@tests/run $(SUITES)

check: test ## the same as test

# Three nodes of the compiled-in recipe as containers, as root: formed, used, killed, replaced.
# The variables are the recipe's: see bake/trial/scenario --help.
export NETWORK FLANNELD CALICO CALICO_CNI COREDNS HYPERKUBE ETCD ETCDCTL FROM_HYPERKUBE FROM_ETCD FROM_ETCDCTL
test-cluster: ## a cluster of three nodes as containers, as root: NETWORK=, FLANNELD=, CALICO=, CALICO_CNI=, FROM_HYPERKUBE=
	@scripts/setup build image test
	@$(MAKE) --no-print-directory all fixtures
	@bake/trial/scenario

test-matrix: ## scripts/nightly/job.yaml and cronjob.yaml on such a cluster: a matrix of six, workers killed; as root
	@scripts/setup build image test
	@$(MAKE) --no-print-directory all fixtures
	@tests/cluster/matrix

test-native: ## bake test --native, that it leaves nothing behind, a node's ports and settings; as root
	@scripts/setup build image test
	@$(MAKE) --no-print-directory all fixtures
	@tests/cluster/native

# Takes longer than the rest of the tests.
test-cloud: ## the emulator under gcloud, gsutil and rclone; a push with each request failing, or bake killed there
	@scripts/setup build image test
	@$(MAKE) --no-print-directory all fixtures
	@tests/cloud/emulator-check
	@tests/cloud/push-faults

lint: ## checks the source: CHECKS="format shell" runs only those
	@scripts/setup build lint
	@scripts/lint $(CHECKS)

bench: ## measures: ITEMS="pack rebuild", REPEAT=5 (rounds); root for the comparison with a loop mount
	@scripts/setup build image bench
	@$(MAKE) --no-print-directory all $(B)/bench-tool fixtures
	@REPEAT=$(REPEAT) scripts/bench $(ITEMS) || echo "make bench: failed; the build is not affected" >&2

fuzz: ## runs each target of tests/fuzz with its corpus: SECONDS=60
	@scripts/fuzz $(SECONDS)

install: all ## installs bake, its manual, completion and examples: PREFIX=/usr/local, DESTDIR=
	install -D -m 0755 $(B)/bake $(DESTDIR)$(PREFIX)/bin/bake
	install -D -m 0644 $(B)/bake.1 $(DESTDIR)$(PREFIX)/share/man/man1/bake.1
	install -D -m 0644 bake/completion.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/bake
	for f in manifests/recipes/*.json; do \
	  install -D -m 0644 $$f $(DESTDIR)$(PREFIX)/share/doc/bake/examples/$$(basename $$f); done

uninstall: ## removes what install put there: PREFIX, DESTDIR
	rm -f $(DESTDIR)$(PREFIX)/bin/bake $(DESTDIR)$(PREFIX)/share/man/man1/bake.1
	rm -f $(DESTDIR)$(PREFIX)/share/bash-completion/completions/bake
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/bake

dist: ## a source archive: the same bytes from the same commit
	@mkdir -p $(B)
	git archive --format=tar --prefix=bake-$(VERSION)/ HEAD | gzip -9n > $(B)/bake-$(VERSION).tar.gz
	@echo $(B)/bake-$(VERSION).tar.gz

clean: ## removes build/
	rm -rf build

help: ## prints this
	@sed -n 's/^\([a-z-]*\):[^=].*## \(.*\)/\1\t\2/p' Makefile Makefile.agent | awk -F '\t' '{printf "  make %-13s %s\n", $$1, $$2}'

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
