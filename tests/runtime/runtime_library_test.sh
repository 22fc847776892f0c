#!/bin/sh
# The runtime library stands alone: it exports the C interface only and needs neither libtorch nor a database.
#   runtime_library_test.sh LIBRARY
set -eu
others=$(nm -D --defined-only "$1" | awk '{ print $3 }' | sed 's/@.*//' | grep -v '^fewshop_' | grep -v '^__\(asan\|ubsan\|tsan\|odr\)' || true)
if [ -n "$others" ]; then
  echo "exported beside fewshop_*:" && echo "$others" | head && exit 1
fi
needed=$(readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
if echo "$needed" | grep -Ei 'torch|c10|sqlite|openblas|zstd|libfewshop'; then
  echo "the libraries above are needed, but must not be" && exit 1
fi
echo "needs:" $needed
