# bake: GNU make and pkg-config, no configure step. `make help` lists the targets.
#
#   make            the program             CC=clang, SAN=1 (ASan and UBSan), V=1, B=dir
#   make image      installs what is missing, builds, bakes a real image into out/
#   make test       the same, and runs every test
#   make unit T=fs  the unit tests whose path contains "fs"

B ?= build
PREFIX ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
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

PKGS := zlib libarchive libcurl libsodium libcjson libcrypto ext2fs com_err fdisk blkid libisal libdeflate libmicrohttpd

WARN_COMMON := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
  -Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wcast-qual -Wcast-align -Wwrite-strings -Wformat=2 \
  -Wformat-signedness -Wundef -Wvla -Walloca -Wswitch-enum -Wnull-dereference -Wdouble-promotion -Wimplicit-fallthrough \
  -Wunused-macros -Wredundant-decls -Wnested-externs -fno-common -Werror=implicit-function-declaration \
  -Werror=incompatible-pointer-types -Werror=int-conversion -Werror=return-type -Werror=format -Wno-gnu-statement-expression \
  -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wuse-after-free=3 -Warith-conversion
HARDEN := -fstack-protector-strong -fstack-clash-protection -fcf-protection -D_FORTIFY_SOURCE=2 -ftrivial-auto-var-init=zero

# The flags that this compiler takes, asked once a build directory.
FLAGS_MK := $(B)/flags.mk
ifeq ($(filter clean distclean help,$(MAKECMDGOALS)),)
-include $(FLAGS_MK)
endif
$(FLAGS_MK): Makefile
	@mkdir -p $(B)
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

LIB_SRC := $(sort $(filter-out src/agent/%,$(wildcard src/*/*.c)))
CLI_SRC := $(sort $(wildcard bake/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(B)/obj/%.o)
CLI_OBJ := $(CLI_SRC:%.c=$(B)/obj/%.o)
UNIT_SRC := $(sort $(wildcard tests/unit/*/test_*.c))
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(B)/unit/%)
SUPPORT_SRC := $(sort $(wildcard tests/support/lib/*.c))
SUPPORT_OBJ := $(SUPPORT_SRC:%.c=$(B)/obj/%.o)

.PHONY: all
all: $(B)/bake

-include Makefile.agent

$(B)/obj/%.o: %.c $(FLAGS_MK)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $<")
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(B)/libbake.a: $(LIB_OBJ)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(B)/bake: $(CLI_OBJ) $(GEN_OBJ) $(B)/libbake.a
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

$(B)/unit/%: $(B)/obj/tests/unit/%.o $(SUPPORT_OBJ) $(B)/libbake.a
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(CMOCKA_LIBS) $(PKG_LIBS)

# make unit T=fetch: builds and runs the unit tests whose path contains T
.PHONY: unit unit-bins
unit-bins: $(foreach t,$(UNIT_BIN),$(if $(T),$(if $(findstring $(T),$(t)),$(t)),$(t)))
unit: unit-bins
	@status=0; for t in $(foreach t,$(UNIT_BIN),$(if $(T),$(if $(findstring $(T),$(t)),$(t)),$(t))); do \
	  echo "== $$t"; $$t || status=1; done; exit $$status

.PHONY: clean
clean:
	rm -rf build

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
